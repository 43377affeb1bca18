import { TYPES_TAKEN } from '../../http/body.limits.js';
import { ProblemError } from '../../http/problem.error.js';
import type { BodyFormat } from '../decode/bars.decoder.js';

const FORMATS: ReadonlyMap<string, BodyFormat> = new Map([
  ['application/json', 'json'],
  ['application/x-ndjson', 'ndjson'],
  ['text/csv', 'csv'],
]);

const UTF_8_CHARSET = /^"?utf-?8"?$/i;

/**
 * The format that a Content-Type names.
 * @throws ProblemError `unsupported-media-type` also for a charset other than UTF-8
 */
export function bodyFormat(contentType = ''): BodyFormat {
  const plain = FORMATS.get(contentType);
  if (plain !== undefined) return plain;
  const [type = '', ...parameters] = contentType.split(';');
  const format = FORMATS.get(type.trim().toLowerCase());
  const charset = parameters
    .map((text) => text.trim().split('='))
    .find(([name]) => name?.toLowerCase() === 'charset');
  if (format === undefined || (charset !== undefined && !UTF_8_CHARSET.test(charset[1] ?? ''))) {
    throw new ProblemError('unsupported-media-type', TYPES_TAKEN);
  }
  return format;
}
