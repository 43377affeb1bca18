import { LINE_FEED, RETURN, SPACE, TAB } from './byte.codes.js';
import { addJsonRow, isJsonObject } from './json.row.js';
import { MalformedBodyError } from './malformed-body.error.js';
import type { RowErrorList } from './row-error.list.js';
import { checkBlankLines, limitText, MAX_LINES_WITHOUT_ROW, MAX_ROW_BYTES } from './row.limits.js';
import type { RowValidator } from './row.validator.js';
import type { JsonRowScanner } from './scan/json-row.scanner.js';
import { SlicePace, type Slices } from './slices.js';
import { describeValue } from './value.text.js';

/** A row that begins where another ends. */
const SEVERAL_ROWS = /\}\s*\{\s*"/;

/** Decodes one JSON row per line, the usual ones with the scanner if there is one. Blank lines are no rows. */
export function* decodeNdjson(
  body: Buffer,
  rows: RowValidator,
  errors: RowErrorList,
  scanner?: JsonRowScanner,
): Slices {
  const pace = new SlicePace();
  let line = 0;
  let withoutRow = 0;
  let blank = 0;
  let start = 0;
  while (start < body.length && !errors.enough) {
    line++;
    if (pace.isOver(line, start)) {
      yield;
      scanner?.resume();
    }
    const behind = scanner === undefined ? -1 : scanLine(body, start, scanner);
    if (behind >= 0) {
      start = behind;
      continue;
    }
    const lineFeed = body.indexOf(LINE_FEED, start);
    const end = lineFeed < 0 ? body.length : lineFeed;
    if (isBlank(body, start, end)) checkBlankLines(++blank, line - blank);
    else if (!addLine(line, body.subarray(start, end), rows, errors)) withoutRow++;
    if (withoutRow > MAX_LINES_WITHOUT_ROW) {
      throw new MalformedBodyError(
        `More than ${limitText(MAX_LINES_WITHOUT_ROW)} lines are not JSON objects (the last is line ${line}): the body is not NDJSON.`,
      );
    }
    start = end + 1;
  }
}

/** Offset of the next line when the one at `start` is a good row, which is added then; else -1. */
function scanLine(body: Buffer, start: number, scanner: JsonRowScanner): number {
  const end = scanner.read(start);
  if (end < 0 || end - start > MAX_ROW_BYTES) return -1;
  return (end === body.length || body[end] === LINE_FEED) && scanner.append() ? end + 1 : -1;
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
    const hint = SEVERAL_ROWS.test(text)
      ? ': it has several rows, as when curl strips line ends with -d; --data-binary keeps them'
      : '';
    errors.add(line, '', 'malformed-line', `the line ${describeValue(text)} is not JSON${hint}`);
    return false;
  }
  addJsonRow(line, row, rows, errors);
  return isJsonObject(row);
}

/** A line that is too long for a row is none that may be passed over. */
function isBlank(body: Buffer, start: number, end: number): boolean {
  if (end - start > MAX_ROW_BYTES) return false;
  for (let at = start; at < end; at++) {
    const byte = body[at];
    if (byte !== SPACE && byte !== TAB && byte !== RETURN) return false;
  }
  return true;
}
