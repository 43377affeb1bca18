import type { BarBatch } from '../bar.batch.js';
import { BarBatchBuilder } from '../bar.batch-builder.js';
import { checkedBody } from './body.text.js';
import { decodeCsv } from './csv.decoder.js';
import { decodeJson } from './json.decoder.js';
import { decodeNdjson } from './ndjson.decoder.js';
import { RowErrorList } from './row-error.list.js';
import type { RowError } from './row.error.js';
import { RowValidator } from './row.validator.js';

/** How the bars of a body are written. */
export type BodyFormat = 'json' | 'ndjson' | 'csv';

/** What becomes of a body with bad rows: nothing of it is kept, or the good rows are. */
export type OnRowError = 'abort' | 'skip';

/** What a body holds. */
export interface DecodeResult {
  /** The good rows; null when there are none, or when there is a bad one and the body was to be aborted. */
  readonly batch: BarBatch | null;
  /**
   * Rows refused; zero without a batch means that the body has no rows. A body to be aborted is read no further
   * than to the first error that `errors` has no place for.
   */
  readonly rejected: number;
  /** The first errors, one for each row refused, at most 100. */
  readonly errors: readonly RowError[];
  /** Whether more rows were refused than `errors` tells of. */
  readonly errorsTruncated: boolean;
}

/** Decodes and validates a request body. Throws MalformedBodyError when it cannot be read as a whole. */
export function decodeBars(body: Buffer, format: BodyFormat, onError: OnRowError): DecodeResult {
  const builder = new BarBatchBuilder();
  const errors = new RowErrorList(onError === 'skip');
  DECODERS[format](checkedBody(body), new RowValidator(builder, errors), errors);
  const batch = errors.count > 0 && onError === 'abort' ? null : builder.finish();
  return {
    batch: batch === null || batch.rows === 0 ? null : batch,
    rejected: errors.count,
    errors: errors.kept,
    errorsTruncated: errors.truncated,
  };
}

/** Each passes every row of the body, in order, to the validator, or tells the list why it is none. */
const DECODERS: Record<BodyFormat, (body: Buffer, rows: RowValidator, errors: RowErrorList) => void> = {
  json: decodeJson,
  ndjson: decodeNdjson,
  csv: decodeCsv,
};
