import { CLOSE_ARRAY, COMMA, OPEN_OBJECT, OPEN_ARRAY } from './byte.codes.js';
import { elementEnd } from './json.elements.js';
import { parseJson } from './json.parse.js';
import { addJsonRow, isJsonObject } from './json.row.js';
import type { RowErrorList } from './row-error.list.js';
import { MAX_ROW_BYTES } from './row.limits.js';
import type { RowValidator } from './row.validator.js';
import type { JsonRowScanner } from './scan/json-row.scanner.js';
import { SlicePace, type Slices } from './slices.js';

/** An object whose first member is an array of bars, up to that array's bracket. */
const BARS_HEAD = /^\{[ \t\r\n]*"bars"[ \t\r\n]*:[ \t\r\n]*\[/;
/** Bytes in which it is looked for. */
const HEAD_BYTES = 64;

/**
 * Decodes a JSON document without blanks around it, the usual rows by the scanner, the others one by one. False when
 * the document as a whole is unusual, or no JSON: what was added of it until then means nothing.
 */
export function* scanJson(
  text: Buffer,
  scanner: JsonRowScanner,
  rows: RowValidator,
  errors: RowErrorList,
): Slices<boolean> {
  const head = text[0] === OPEN_OBJECT ? BARS_HEAD.exec(text.toString('latin1', 0, HEAD_BYTES)) : null;
  if (head === null && text[0] !== OPEN_ARRAY)
    return text.length <= MAX_ROW_BYTES && scanner.read(0) === text.length && scanner.append();
  let start = head === null ? 1 : head[0].length;
  const pace = new SlicePace();
  for (let line = 1; ; line++) {
    if (pace.isOver(line, start)) {
      yield;
      scanner.resume();
    }
    let end = scanner.read(start);
    const closed = text[end] === CLOSE_ARRAY || text[end] === COMMA;
    if (!closed || end - start > MAX_ROW_BYTES || !scanner.append()) {
      end = elementEnd(text, start, CLOSE_ARRAY, MAX_ROW_BYTES) ?? text.length;
      if (end === text.length || !addElement(text.subarray(start, end), line, rows, errors)) return false;
    }
    if (errors.enough) return false;
    if (text[end] === CLOSE_ARRAY) return isEnd(text.subarray(end + 1), head !== null, rows);
    start = end + 1;
  }
}

function addElement(element: Buffer, line: number, rows: RowValidator, errors: RowErrorList): boolean {
  const row = jsonOrUndefined(element);
  if (row === undefined) return false;
  addJsonRow(line, row, rows, errors);
  return true;
}

/** Whether what follows the rows ends the document, without naming other bars that would count instead. Notes the rest. */
function isEnd(rest: Buffer, inObject: boolean, rows: RowValidator): boolean {
  if (!inObject) return rest.length === 0;
  // A member without a name would take the place of the one that stands for the rows.
  if (rest.length > MAX_ROW_BYTES - HEAD_BYTES || rest.includes('""')) return false;
  const others = jsonOrUndefined(Buffer.concat([Buffer.from('{"":[]'), rest]));
  if (!isJsonObject(others) || Object.hasOwn(others, 'bars')) return false;
  rows.ignored.addUnknown(Object.keys(others).filter((name) => name !== ''));
  return true;
}

function jsonOrUndefined(text: Buffer): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
