import { BACKSLASH, CLOSE_ARRAY, CLOSE_OBJECT, COMMA, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './byte.codes.js';
import { MalformedBodyError } from './malformed-body.error.js';
import { SLICE_BYTES, SlicePace, type Slices } from './slices.js';

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
  for (let element = 1; ; element++) {
    if (pace.isOver(element, start)) yield;
    const search = new ElementSearch(text, start, closing);
    // An element may be as long as the text.
    while (!search.goOn(search.at + SLICE_BYTES) && search.at < text.length) yield;
    const end = search.at;
    if (end >= text.length) {
      throw new MalformedBodyError(
        `The body is not a JSON document: the bracket at byte ${open + 1} is not closed.`,
      );
    }
    if (!found(start, end) || text[end] === closing) return end;
    start = end + 1;
  }
}

/**
 * Offset of the comma, or the closing bracket of what it is in, behind the element that starts at `start`; undefined
 * when the element has more than `longest` bytes, or has no end.
 */
export function elementEnd(
  text: Buffer,
  start: number,
  closing: number,
  longest: number,
): number | undefined {
  const search = new ElementSearch(text, start, closing);
  return search.goOn(start + longest + 1) ? search.at : undefined;
}

/** Looks for the byte behind an element: a comma, or the closing bracket of what it is in. */
class ElementSearch {
  /** Offset of the first byte that was not looked at, or of what was looked for. */
  at: number;
  private depth = 0;
  private inString = false;

  constructor(
    private readonly text: Buffer,
    start: number,
    private readonly closing: number,
  ) {
    this.at = start;
  }

  /** Looks on up to the offset `limit`. True when it is found; false also when there is none. */
  goOn(limit: number): boolean {
    const { text, closing } = this;
    const end = Math.min(limit, text.length);
    let { at, depth, inString } = this;
    let isFound = false;
    for (; at < end; at++) {
      const byte = text[at];
      if (inString) {
        if (byte === BACKSLASH) at++;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) depth++;
      else if (depth === 0 && (byte === COMMA || byte === closing)) {
        isFound = true;
        break;
      } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
        // Brackets that do not match: there is no end.
        if (--depth < 0) at = text.length;
      }
    }
    this.at = at;
    this.depth = depth;
    this.inString = inString;
    return isFound;
  }
}
