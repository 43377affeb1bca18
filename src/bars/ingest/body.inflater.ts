import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

import { BODY_LIMIT, IN_PARTS } from '../../http/body.limits.js';
import { ProblemError } from '../../http/problem.error.js';

const inflate = promisify(gunzip);

/**
 * Undoes the Content-Encoding, off the main thread; a body without one is not waited for.
 * @throws ProblemError `unsupported-media-type`, `malformed-body`, or `body-too-large` once the inflated bytes
 *   pass the limit, however small the body was
 */
export function inflateBody(body: Buffer, encoding: string | undefined): Buffer | Promise<Buffer> {
  if (encoding === undefined) return body;
  const name = encoding.trim().toLowerCase();
  if (name === 'identity' || name === '') return body;
  if (name !== 'gzip' && name !== 'x-gzip') {
    throw new ProblemError('unsupported-media-type', 'The only Content-Encoding taken is gzip.', {
      headers: { 'accept-encoding': 'gzip' },
    });
  }
  return inflateGzip(body);
}

async function inflateGzip(body: Buffer): Promise<Buffer> {
  try {
    return await inflate(body, { maxOutputLength: BODY_LIMIT });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ProblemError(
        'body-too-large',
        `The body has more than ${BODY_LIMIT.toLocaleString('en')} bytes when it is inflated. ${IN_PARTS}`,
      );
    }
    throw new ProblemError('malformed-body', 'The body is not complete gzip data.', { cause: error });
  }
}
