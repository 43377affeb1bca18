import { addJsonRow } from './json.row.js';
import type { RowErrorList } from './row-error.list.js';
import type { RowValidator } from './row.validator.js';
import { describeValue } from './value.text.js';

const LINE_FEED = 0x0a;

/** Decodes one JSON row per line. Blank lines are counted, no more. */
export function decodeNdjson(body: Buffer, rows: RowValidator, errors: RowErrorList): void {
  let line = 0;
  let start = 0;
  while (start < body.length && !errors.enough) {
    line++;
    const lineFeed = body.indexOf(LINE_FEED, start);
    const end = lineFeed < 0 ? body.length : lineFeed;
    if (!isBlank(body, start, end)) addLine(line, body.toString('utf8', start, end), rows, errors);
    start = end + 1;
  }
}

function addLine(line: number, text: string, rows: RowValidator, errors: RowErrorList): void {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    errors.add(line, '', 'malformed-line', `the line ${describeValue(text)} is not JSON`);
    return;
  }
  addJsonRow(line, row, rows, errors);
}

function isBlank(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = body[at];
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  }
  return true;
}
