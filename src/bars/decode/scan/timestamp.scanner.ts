import { COLON, DOT, MINUS, NINE, NO_BYTE, NO_BYTES, PLUS, ZERO } from '../byte.codes.js';
import { parseTimestamp } from '../../timestamp.js';
import { viewOf } from '../../tuple.js';

const UPPER = ~0x20;
const T = 0x54;
const Z = 0x5a;
const DAY_BYTES = 10;
const SECOND_US = 1_000_000;

/** Reads the times of a text in place. */
export class TimestampScanner {
  #bytes: Buffer = NO_BYTES;
  #view = viewOf(this.#bytes);
  #end = 0;
  // Neighbouring rows are mostly of one day: its ten bytes, and its first instant.
  #year = 0;
  #month = 0;
  #day = 0;
  #midnight = NaN;

  /** Turns to another text. */
  begin(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /** Offset of the first byte behind the time read last. */
  get end(): number {
    return this.#end;
  }

  /** The instant of the time or day at `start`, as parseTimestamp takes it, in Unix epoch microseconds; NaN when there is none. */
  read(start: number): number {
    const midnight = this.#readDay(start);
    const bytes = this.#bytes;
    let at = start + DAY_BYTES;
    if (((bytes[at] ?? NO_BYTE) & UPPER) !== T) {
      this.#end = at;
      return midnight;
    }
    const hour = this.#twoDigits(at + 1);
    const minute = this.#twoDigits(at + 4);
    const second = this.#twoDigits(at + 7);
    if (bytes[at + 3] !== COLON || bytes[at + 6] !== COLON || hour > 23 || minute > 59 || second > 59)
      return NaN;
    at += 9;
    let fraction = 0;
    if (bytes[at] === DOT) {
      const point = at;
      let digit = (bytes[++at] ?? NO_BYTE) - ZERO;
      for (let unit = SECOND_US / 10; digit >= 0 && digit <= 9 && unit >= 1; unit /= 10) {
        fraction += digit * unit;
        digit = (bytes[++at] ?? NO_BYTE) - ZERO;
      }
      if (at === point + 1) return NaN;
    }
    if (((bytes[at] ?? NO_BYTE) & UPPER) !== Z) return this.#readText(start);
    this.#end = at + 1;
    return midnight + (hour * 3600 + minute * 60 + second) * SECOND_US + fraction;
  }

  #readDay(start: number): number {
    if (start + DAY_BYTES > this.#bytes.length) return NaN;
    const year = this.#view.getInt32(start);
    const month = this.#view.getInt32(start + 4);
    const day = this.#view.getInt16(start + 8);
    if (day !== this.#day || month !== this.#month || year !== this.#year) {
      const midnight = parseTimestamp(this.#bytes.toString('latin1', start, start + DAY_BYTES));
      this.#midnight = typeof midnight === 'number' ? midnight : NaN;
      this.#year = year;
      this.#month = month;
      this.#day = day;
    }
    return this.#midnight;
  }

  /** The number that two digits spell; 100 when they are none. */
  #twoDigits(at: number): number {
    const tens = (this.#bytes[at] ?? NO_BYTE) - ZERO;
    const ones = (this.#bytes[at + 1] ?? NO_BYTE) - ZERO;
    return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : 100;
  }

  #readText(start: number): number {
    let end = start;
    while (isOfTime(this.#bytes[end] ?? NO_BYTE)) end++;
    this.#end = end;
    const instant = parseTimestamp(this.#bytes.toString('latin1', start, end));
    return typeof instant === 'number' ? instant : NaN;
  }
}

function isOfTime(byte: number): boolean {
  const letter = byte & UPPER;
  return (
    (byte >= ZERO && byte <= NINE) ||
    byte === MINUS ||
    byte === COLON ||
    byte === DOT ||
    byte === PLUS ||
    letter === T ||
    letter === Z
  );
}
