/** Whether a text is a URL that can be posted to. */
export function isHttpUrl(text: string): boolean {
  return urlOf(text, ['http:', 'https:']) !== undefined;
}

/** Whether a text is a URL of a Redis, with the number of a database at most behind it. */
export function isRedisUrl(text: string): boolean {
  const url = urlOf(text, ['redis:', 'rediss:']);
  return url !== undefined && /^\/?\d*$/.test(url.pathname);
}

function urlOf(text: string, protocols: readonly string[]): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url && protocols.includes(url.protocol) && url.hostname !== '' ? url : undefined;
}
