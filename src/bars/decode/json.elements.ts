import { MalformedBodyError } from './malformed-body.error.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Finds the elements of the array, or the members of the object, whose bracket is at `open`, without parsing them: it
 * is JSON if, and only if, each of them is. Calls `found` with the extent of each (`end` is the first byte behind it),
 * until that returns false. Returns the offset of the closing bracket, or where it was told to stop.
 * @throws MalformedBodyError when the bracket is not closed
 */
export function findElements(
  text: Buffer,
  open: number,
  found: (start: number, end: number) => boolean,
): number {
  const closing = text[open] === OPEN_ARRAY ? CLOSE_ARRAY : CLOSE_OBJECT;
  let depth = 0;
  let start = open + 1;
  for (let at = start; at < text.length && depth >= 0; at++) {
    const byte = text[at];
    if (byte === QUOTE) at = closingQuote(text, at);
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) depth++;
    else if (depth === 0 && (byte === COMMA || byte === closing)) {
      if (!found(start, at) || byte === closing) return at;
      start = at + 1;
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--;
  }
  throw new MalformedBodyError(
    `The body is not a JSON document: the bracket at byte ${open + 1} is not closed.`,
  );
}

/** Offset of the quote that ends the string; beyond the text when none does. */
function closingQuote(text: Buffer, open: number): number {
  let at = open + 1;
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1;
  return at;
}
