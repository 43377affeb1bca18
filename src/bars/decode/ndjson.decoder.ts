import { addJsonRow, isJsonObject } from './json.row.js';
import { MalformedBodyError } from './malformed-body.error.js';
import type { RowErrorList } from './row-error.list.js';
import { limitText, MAX_LINES_WITHOUT_ROW, MAX_ROW_BYTES } from './row.limits.js';
import type { RowValidator } from './row.validator.js';
import { describeValue } from './value.text.js';

const LINE_FEED = 0x0a;

/** Decodes one JSON row per line. Blank lines are counted, no more. */
export function decodeNdjson(body: Buffer, rows: RowValidator, errors: RowErrorList): void {
  let line = 0;
  let withoutRow = 0;
  let start = 0;
  while (start < body.length && !errors.enough) {
    line++;
    const lineFeed = body.indexOf(LINE_FEED, start);
    const end = lineFeed < 0 ? body.length : lineFeed;
    if (!isBlank(body, start, end) && !addLine(line, body.subarray(start, end), rows, errors)) withoutRow++;
    if (withoutRow > MAX_LINES_WITHOUT_ROW) {
      throw new MalformedBodyError(
        `More than ${limitText(MAX_LINES_WITHOUT_ROW)} lines are not JSON objects (the last is line ${line}): the body is not NDJSON.`,
      );
    }
    start = end + 1;
  }
}

/** Whether the line is a row, good or bad. */
function addLine(line: number, bytes: Buffer, rows: RowValidator, errors: RowErrorList): boolean {
  if (bytes.length > MAX_ROW_BYTES) {
    const detail = `the line has ${bytes.length} bytes, more than ${limitText(MAX_ROW_BYTES)}`;
    errors.add(line, '', 'malformed-line', detail);
    return false;
  }
  const text = bytes.toString('utf8');
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    errors.add(line, '', 'malformed-line', `the line ${describeValue(text)} is not JSON`);
    return false;
  }
  addJsonRow(line, row, rows, errors);
  return isJsonObject(row);
}

function isBlank(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = body[at];
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  }
  return true;
}
