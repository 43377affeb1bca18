import { CLOSE_ARRAY, OPEN_ARRAY, OPEN_OBJECT } from './byte.codes.js';
import { findElements } from './json.elements.js';
import { parseJson } from './json.parse.js';
import { addJsonRow, ignoreOthers } from './json.row.js';
import { MalformedBodyError } from './malformed-body.error.js';
import type { RowErrorList } from './row-error.list.js';
import { limitText } from './row.limits.js';
import type { RowValidator } from './row.validator.js';
import type { Slices } from './slices.js';

/** The name of the member and the first byte of its value. */
const BARS_MEMBER = /^[ \t\r\n]*"bars"[ \t\r\n]*:[ \t\r\n]*[^ \t\r\n]/;
/** Bytes of a member in which its name is looked for. */
const MEMBER_HEAD_BYTES = 256;
const BLANK = /^[ \t\r\n]*$/;

/**
 * Decodes a JSON document without blanks around it, row by row: parsed at once, `[[],[],...` takes 30 times its size
 * in memory, and 64 MiB of it end the process.
 */
export function* decodeLargeJson(
  text: Buffer,
  rows: RowValidator,
  errors: RowErrorList,
  maxParsedBytes: number,
): Slices {
  const array = text[0] === OPEN_OBJECT ? yield* findBars(text) : 0;
  if (text[array] !== OPEN_ARRAY) {
    throw new MalformedBodyError(
      `A JSON body of more than ${limitText(maxParsedBytes)} bytes must be an array of rows, or an object with one in "bars".`,
    );
  }
  const parse = (part: Buffer, name: string): unknown => {
    if (part.length <= maxParsedBytes) return parseJson(part, name);
    throw new MalformedBodyError(
      `The ${name} has ${part.length} bytes, more than ${limitText(maxParsedBytes)}.`,
    );
  };

  let line = 0;
  const end = yield* findElements(text, array, (from, to) => {
    const element = text.subarray(from, to);
    const isLast = text[to] === CLOSE_ARRAY;
    if (line === 0 && isLast && element.length <= maxParsedBytes && BLANK.test(element.toString()))
      return true;
    line++;
    addJsonRow(line, parse(element, `element ${line}`), rows, errors);
    return !errors.enough;
  });
  // The rows are JSON; what is left when they are taken out must be so, too.
  const frame = Buffer.concat([text.subarray(0, array + 1), text.subarray(end)]);
  if (!errors.enough) ignoreOthers(parse(frame, 'text around the rows'), rows);
}

/** Offset of the value of the object's last member `bars`, which is the one that counts; -1 when it has none. */
function* findBars(text: Buffer): Slices<number> {
  let value = -1;
  yield* findElements(text, 0, (from, to) => {
    const head = text.toString('latin1', from, Math.min(to, from + MEMBER_HEAD_BYTES));
    const match = BARS_MEMBER.exec(head);
    if (match !== null) value = from + match[0].length - 1;
    return true;
  });
  return value;
}
