import type { BarBatch, OnConflict } from '../bar.batch.js';
import { BarBatchBuilder } from '../bar.batch-builder.js';
import { type SymbolCase, UPPER_CASE } from '../symbol.case.js';
import { checkedBody } from './body.text.js';
import { decodeCsv } from './csv.decoder.js';
import { decodeJson, withoutBlanks } from './json.decoder.js';
import type { IgnoredFields } from './ignored.fields.js';
import { scanJson } from './json.scan.js';
import { decodeNdjson } from './ndjson.decoder.js';
import type { RowErrorCode } from './row-error.codes.js';
import { RowErrorList } from './row-error.list.js';
import type { RowError } from './row.error.js';
import { RowValidator } from './row.validator.js';
import { BarScanner } from './scan/bar.scanner.js';
import { CsvRowScanner } from './scan/csv-row.scanner.js';
import { JsonRowScanner } from './scan/json-row.scanner.js';
import { RowShape } from './scan/row.shape.js';
import { atOnce, inTurns, type Slices } from './slices.js';

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
  /** The same by why they were refused. */
  readonly rejectedByCode: ReadonlyMap<RowErrorCode, number>;
  /** The first errors, one for each row refused, at most 100. */
  readonly errors: readonly RowError[];
  /** Whether more rows were refused than `errors` tells of. */
  readonly errorsTruncated: boolean;
  /** The names of fields that were read and that no bar has, at most 20. */
  readonly ignoredFields: readonly string[];
  /** Whether there were more than `ignoredFields` tells of. */
  readonly ignoredFieldsTruncated: boolean;
}

/** They know the series and the JSON of the bodies before. Bodies that are decoded in turns share them, too. */
const bars = new BarScanner();
const shape = new RowShape();

/**
 * Decodes and validates a request body of at most `maxBars` good rows: the usual rows by scanners that read the bytes
 * where they lie, the others as decodeStrictly does. `symbolCase` tells how symbols are stored,
 * `onConflict` which of two bars of one series and ts is left.
 * @throws MalformedBodyError when it cannot be read as a whole
 * @throws TooManyBarsError when it has more good rows
 */
export function decodeBars(
  body: Buffer,
  format: BodyFormat,
  onError: OnRowError,
  maxBars = Infinity,
  symbolCase = UPPER_CASE,
  onConflict: OnConflict = 'replace',
): DecodeResult {
  return atOnce(scan(body, format, onError, maxBars, symbolCase, onConflict));
}

/**
 * The same, with pauses in which others are served; other bodies may be decoded meanwhile. It ends with the signal's
 * reason in the pause after that is aborted.
 */
export function decodeBarsInTurns(
  body: Buffer,
  format: BodyFormat,
  onError: OnRowError,
  maxBars = Infinity,
  symbolCase = UPPER_CASE,
  onConflict: OnConflict = 'replace',
  gone?: AbortSignal,
): Promise<DecodeResult> {
  return inTurns(scan(body, format, onError, maxBars, symbolCase, onConflict), gone);
}

/** The same as decodeBars, with every row parsed and checked field by field: it is what the scanners must agree with. */
export function decodeStrictly(
  body: Buffer,
  format: BodyFormat,
  onError: OnRowError,
  maxBars = Infinity,
  symbolCase = UPPER_CASE,
  onConflict: OnConflict = 'replace',
): DecodeResult {
  return atOnce(parse(checkedBody(body), format, onError, maxBars, symbolCase, onConflict));
}

function* scan(
  body: Buffer,
  format: BodyFormat,
  onError: OnRowError,
  maxBars: number,
  symbolCase: SymbolCase,
  onConflict: OnConflict,
): Slices<DecodeResult> {
  const text = checkedBody(body);
  const builder = new BarBatchBuilder(maxBars, symbolCase, onConflict);
  const errors = new RowErrorList(onError === 'skip');
  const rows = new RowValidator(builder, errors);
  try {
    if (format === 'csv') {
      yield* decodeCsv(text, rows, errors, (fields) => new CsvRowScanner(bars, text, fields, builder));
    } else if (format === 'ndjson') {
      yield* decodeNdjson(
        text,
        rows,
        errors,
        new JsonRowScanner(bars, shape, text, true, builder, rows.ignored),
      );
    } else {
      const document = withoutBlanks(text);
      const scanner = new JsonRowScanner(bars, shape, document, false, builder, rows.ignored);
      if (!(yield* scanJson(document, scanner, rows, errors))) {
        builder.discard();
        return yield* parse(text, format, onError, maxBars, symbolCase, onConflict);
      }
    }
    return result(builder, errors, rows.ignored, onError);
  } finally {
    bars.end();
    builder.discard();
  }
}

function* parse(
  text: Buffer,
  format: BodyFormat,
  onError: OnRowError,
  maxBars: number,
  symbolCase: SymbolCase,
  onConflict: OnConflict,
): Slices<DecodeResult> {
  const builder = new BarBatchBuilder(maxBars, symbolCase, onConflict);
  const errors = new RowErrorList(onError === 'skip');
  try {
    const rows = new RowValidator(builder, errors);
    yield* DECODERS[format](text, rows, errors);
    return result(builder, errors, rows.ignored, onError);
  } finally {
    builder.discard();
  }
}

function result(
  builder: BarBatchBuilder,
  errors: RowErrorList,
  ignored: IgnoredFields,
  onError: OnRowError,
): DecodeResult {
  const batch = errors.count > 0 && onError === 'abort' ? null : builder.finish();
  return {
    batch: batch === null || batch.rows === 0 ? null : batch,
    rejected: errors.count,
    rejectedByCode: errors.byCode,
    errors: errors.kept,
    errorsTruncated: errors.truncated,
    ignoredFields: ignored.names,
    ignoredFieldsTruncated: ignored.truncated,
  };
}

/** Each passes every row of the body, in order, to the validator, or tells the list why it is none. */
const DECODERS: Record<BodyFormat, (body: Buffer, rows: RowValidator, errors: RowErrorList) => Slices> = {
  json: decodeJson,
  ndjson: decodeNdjson,
  csv: decodeCsv,
};
