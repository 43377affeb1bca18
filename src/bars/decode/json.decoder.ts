import { addJsonRow, isJsonObject } from './json.row.js';
import { MalformedBodyError } from './malformed-body.error.js';
import type { RowErrorList } from './row-error.list.js';
import type { RowValidator } from './row.validator.js';
import { describeValue, escapeText } from './value.text.js';

const MAX_REASON_CHARACTERS = 160;
const BLANK = /^[ \t\r\n]*$/;

/** Decodes a JSON document: one row, an array of rows, or an object whose `bars` is an array of rows. */
export function decodeJson(body: Buffer, rows: RowValidator, errors: RowErrorList): void {
  const text = body.toString('utf8');
  if (BLANK.test(text)) return;
  let line = 0;
  for (const row of rowsOf(parse(text))) {
    if (errors.enough) return;
    addJsonRow(++line, row, rows, errors);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${escapeText(cause.message, MAX_REASON_CHARACTERS)}` : '';
    throw new MalformedBodyError(`The body is not a JSON document${reason}.`, { cause });
  }
}

function rowsOf(document: unknown): readonly unknown[] {
  if (Array.isArray(document)) return document;
  if (!isJsonObject(document)) {
    throw new MalformedBodyError(`The body must be a JSON object or array, not ${describeValue(document)}.`);
  }
  // A row may have an unknown field of that name: only an array makes the object a list of rows.
  return Object.hasOwn(document, 'bars') && Array.isArray(document['bars']) ? document['bars'] : [document];
}
