/**
 * Every refusal the service can answer: its stable code, HTTP status and title. docs/errors.md says what to do
 * about each; a test keeps the two alike.
 */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request is not valid HTTP for this service' },
  'malformed-body': { status: 400, title: 'The body cannot be read' },
  'invalid-parameter': { status: 400, title: 'A query parameter is not valid' },
  unauthorized: { status: 401, title: 'A known bearer token is needed' },
  forbidden: { status: 403, title: 'The token lacks the scope' },
  'provider-forbidden': { status: 403, title: 'The token is bound to other providers' },
  'not-found': { status: 404, title: 'There is nothing at this address' },
  'unknown-provider': { status: 404, title: 'The provider is not known' },
  'unknown-record': { status: 404, title: 'There is no such record in the dead-letter queue' },
  'method-not-allowed': { status: 405, title: 'The address does not take this method' },
  'not-acceptable': { status: 406, title: 'Accept takes no type that there is' },
  'head-too-slow': { status: 408, title: 'The head of the request came too slowly' },
  'upload-too-slow': { status: 408, title: 'The body came too slowly' },
  'damaged-record': { status: 410, title: 'The record was damaged on disk' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The content type or encoding is not supported' },
  'expectation-failed': { status: 417, title: 'The Expect header cannot be met' },
  'no-bars': { status: 422, title: 'The body holds no bars' },
  'invalid-bars': { status: 422, title: 'Some bars are not valid' },
  'invalid-document': { status: 422, title: 'The document is not valid' },
  'queue-full': { status: 429, title: 'Too many bars wait' },
  'rate-limited': { status: 429, title: 'The provider is over its rate' },
  'head-too-large': { status: 431, title: 'The head of the request is too large' },
  'internal-error': { status: 500, title: 'The service failed' },
  'write-refused': { status: 500, title: 'The database refused bars' },
  'database-unavailable': { status: 503, title: 'The database cannot be reached' },
  'commit-unconfirmed': { status: 503, title: 'The commit was not confirmed in time' },
  'spool-full': { status: 503, title: 'The spool is full' },
  'spool-unavailable': { status: 503, title: 'The spool cannot be written' },
  'too-many-connections': { status: 503, title: 'Too many clients are connected' },
  'too-many-readers': { status: 503, title: 'Too many clients read a stream' },
  starting: { status: 503, title: 'The service is starting' },
  draining: { status: 503, title: 'The service is shutting down' },
} as const satisfies Readonly<Record<string, { status: number; title: string }>>;

/** A code of the catalogue. */
export type ProblemCode = keyof typeof PROBLEMS;
