import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

import { BODY_LIMIT } from '../../http/body.limits.js';
import { ProblemError } from '../../http/problem.error.js';

const inflate = promisify(gunzip);

/**
 * Undoes the Content-Encoding, off the main thread.
 * @throws ProblemError `unsupported-media-type`, `malformed-body`, or `body-too-large` once the inflated bytes
 *   pass the limit, however small the body was
 */
export async function inflateBody(body: Buffer, encoding: string | undefined): Promise<Buffer> {
  const name = (encoding ?? 'identity').trim().toLowerCase();
  if (name === 'identity' || name === '') return body;
  if (name !== 'gzip' && name !== 'x-gzip') {
    throw new ProblemError('unsupported-media-type', 'The only Content-Encoding taken is gzip.', {
      headers: { 'accept-encoding': 'gzip' },
    });
  }
  try {
    return await inflate(body, { maxOutputLength: BODY_LIMIT });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ProblemError('body-too-large', `The inflated body has more than ${BODY_LIMIT} bytes.`);
    }
    throw new ProblemError('malformed-body', 'The body is not complete gzip data.', { cause: error });
  }
}
