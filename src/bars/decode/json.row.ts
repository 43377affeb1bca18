import type { RowErrorList } from './row-error.list.js';
import type { RowField } from './row.fields.js';
import type { RowValidator } from './row.validator.js';
import { describeValue } from './value.text.js';

type JsonObject = Partial<Record<string, unknown>>;

/** Whether a value that JSON.parse made is an object, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a document is an object of which the member `bars` is the rows. */
export function hasBars(document: unknown): document is JsonObject & { bars: unknown[] } {
  return isJsonObject(document) && Object.hasOwn(document, 'bars') && Array.isArray(document['bars']);
}

/** Notes what such an object has besides the rows. */
export function ignoreOthers(document: unknown, rows: RowValidator): void {
  if (hasBars(document)) rows.ignored.addUnknown(Object.keys(document).filter((name) => name !== 'bars'));
}

/** Passes one parsed row on, whatever it is. */
export function addJsonRow(line: number, row: unknown, rows: RowValidator, errors: RowErrorList): void {
  if (!isJsonObject(row)) {
    errors.add(line, '', 'not-an-object', `the row must be a JSON object, not ${describeValue(row)}`);
    return;
  }
  rows.ignored.addUnknown(Object.keys(row));
  if (!Object.hasOwn(row, 'provider') && Object.hasOwn(row, 'bars')) {
    errors.add(line, 'provider', 'missing-field', `provider is missing: ${whyNoRows(row['bars'])}`);
    return;
  }
  rows.add(
    line,
    own(row, 'provider'),
    own(row, 'symbol'),
    own(row, 'interval'),
    own(row, 'ts'),
    own(row, 'open'),
    own(row, 'high'),
    own(row, 'low'),
    own(row, 'close'),
    own(row, 'volume'),
  );
}

/** Why what is in "bars" was not taken for rows. */
function whyNoRows(bars: unknown): string {
  if (Array.isArray(bars))
    return 'an array of rows in "bars" is taken only as the whole body, as application/json';
  return `"bars" is ${describeValue(bars)}, and taken for rows only when it is an array of them`;
}

/** An inherited field is not the sender's: a polluted prototype must not fill in what a row lacks. */
function own(row: JsonObject, field: RowField): unknown {
  return Object.hasOwn(row, field) ? row[field] : undefined;
}
