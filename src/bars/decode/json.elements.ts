import { BACKSLASH, CLOSE_ARRAY, CLOSE_OBJECT, COMMA, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './byte.codes.js';
import { MalformedBodyError } from './malformed-body.error.js';
import { SlicePace, type Slices } from './slices.js';

/**
 * Finds the elements of the array, or the members of the object, whose bracket is at `open`, without parsing them: it
 * is JSON if, and only if, each of them is. Calls `found` with the extent of each (`end` is the first byte behind it),
 * until that returns false. Returns the offset of the closing bracket, or where it was told to stop.
 * @throws MalformedBodyError when the bracket is not closed
 */
export function* findElements(
  text: Buffer,
  open: number,
  found: (start: number, end: number) => boolean,
): Slices<number> {
  const pace = new SlicePace();
  const closing = text[open] === OPEN_ARRAY ? CLOSE_ARRAY : CLOSE_OBJECT;
  let start = open + 1;
  let end = elementEnd(text, start, closing);
  for (let element = 1; end < text.length; element++, end = elementEnd(text, start, closing)) {
    if (pace.isOver(element, start)) yield;
    if (!found(start, end) || text[end] === closing) return end;
    start = end + 1;
  }
  throw new MalformedBodyError(
    `The body is not a JSON document: the bracket at byte ${open + 1} is not closed.`,
  );
}

/**
 * Offset of the comma, or the closing bracket of what it is in, behind the element that starts at `start`; the
 * text's length when there is none.
 */
export function elementEnd(text: Buffer, start: number, closing: number): number {
  let depth = 0;
  for (let at = start; at < text.length && depth >= 0; at++) {
    const byte = text[at];
    if (byte === QUOTE) at = closingQuote(text, at);
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) depth++;
    else if (depth === 0 && (byte === COMMA || byte === closing)) return at;
    else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--;
  }
  return text.length;
}

/** Offset of the quote that ends the string; beyond the text when none does. */
function closingQuote(text: Buffer, open: number): number {
  let at = open + 1;
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1;
  return at;
}
