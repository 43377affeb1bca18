import { LINE_FEED, NO_BYTE, RETURN, SPACE, TAB } from './byte.codes.js';
import { decodeLargeJson } from './json.large.js';
import { parseJson } from './json.parse.js';
import { addJsonRow, hasBars, ignoreOthers, isJsonObject } from './json.row.js';
import { MalformedBodyError } from './malformed-body.error.js';
import type { RowErrorList } from './row-error.list.js';
import { limitText, MAX_ROW_BYTES } from './row.limits.js';
import type { RowValidator } from './row.validator.js';
import type { Slices } from './slices.js';
import { describeValue } from './value.text.js';

const BLANKS: ReadonlySet<number> = new Set([SPACE, TAB, LINE_FEED, RETURN]);

/** Decodes a JSON document: one row, an array of rows, or an object whose `bars` is an array of rows. */
export function* decodeJson(
  body: Buffer,
  rows: RowValidator,
  errors: RowErrorList,
  maxParsedBytes = MAX_ROW_BYTES,
): Slices {
  const text = withoutBlanks(body);
  if (text.length === 0) return;
  if (text.length > maxParsedBytes) {
    yield* decodeLargeJson(text, rows, errors, maxParsedBytes);
    return;
  }
  let line = 0;
  const document = parseJson(text);
  for (const row of rowsOf(document)) {
    if (errors.enough) return;
    addJsonRow(++line, row, rows, errors);
  }
  ignoreOthers(document, rows);
}

function rowsOf(document: unknown): readonly unknown[] {
  if (Array.isArray(document)) return document;
  if (!isJsonObject(document)) {
    throw new MalformedBodyError(`The body must be a JSON object or array, not ${describeValue(document)}.`);
  }
  // A row may have an unknown field of that name: only an array makes the object a list of rows.
  return hasBars(document) ? document.bars : [document];
}

/**
 * The text without the blanks of JSON around it.
 * @throws MalformedBodyError when it begins or ends with too many of them
 */
export function withoutBlanks(body: Buffer): Buffer {
  let start = 0;
  let end = body.length;
  while (start < end && start <= MAX_ROW_BYTES && BLANKS.has(body[start] ?? NO_BYTE)) start++;
  while (end > start && body.length - end <= MAX_ROW_BYTES && BLANKS.has(body[end - 1] ?? NO_BYTE)) end--;
  if (start > MAX_ROW_BYTES || body.length - end > MAX_ROW_BYTES) {
    throw new MalformedBodyError(
      `The body has more than ${limitText(MAX_ROW_BYTES)} blanks around its JSON.`,
    );
  }
  return body.subarray(start, end);
}
