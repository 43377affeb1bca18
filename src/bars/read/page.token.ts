import { ProblemError } from '../../http/problem.error.js';

/** Makes a position opaque for the client. */
export function encodePageToken(parts: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/**
 * Reads a token back; `shape` names the type of each part.
 * @throws ProblemError `invalid-parameter` for a token that this service did not make
 */
export function decodePageToken(token: string, shape: readonly ('string' | 'number')[]): (string | number)[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (
      Array.isArray(parts) &&
      parts.length === shape.length &&
      parts.every(
        (part, index): part is string | number =>
          typeof part === shape[index] && (typeof part === 'string' || Number.isSafeInteger(part)),
      )
    ) {
      return parts;
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new ProblemError('invalid-parameter', 'page_token is not one that a former answer gave.');
}
