/**
 * What every answer says to a browser: its type is not to be guessed, no address is told to others, and nothing of it
 * is a page that may run, load or be framed. The page at /docs has a policy of its own.
 */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const;
