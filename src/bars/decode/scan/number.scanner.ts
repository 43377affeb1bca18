import { DOT, MINUS, NINE, NO_BYTE, NO_BYTES, PLUS, ZERO } from '../byte.codes.js';
import { parseJsonNumber } from '../json.number.js';

/** Powers of ten that a double holds exactly. */
const EXACT_POWERS = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const UPPER = ~0x20;
const E = 0x45;

/** Reads the numbers of a text in place. */
export class NumberScanner {
  #bytes: Buffer = NO_BYTES;
  #end = 0;

  /** Turns to another text. */
  begin(bytes: Buffer): void {
    this.#bytes = bytes;
  }

  /** Offset of the first byte behind the number read last. */
  get end(): number {
    return this.#end;
  }

  /** The double nearest to the JSON number at `start`, bit for bit as `Number(text)`; NaN when there is no finite one. */
  read(start: number): number {
    const bytes = this.#bytes;
    const first = bytes[start] === MINUS ? start + 1 : start;
    let at = first;
    let mantissa = 0;
    let digit = (bytes[at] ?? NO_BYTE) - ZERO;
    for (; digit >= 0 && digit <= 9; digit = (bytes[++at] ?? NO_BYTE) - ZERO)
      mantissa = mantissa * 10 + digit;
    if (at === first || (bytes[first] === ZERO && at > first + 1)) return NaN;
    let decimals = 0;
    if (digit === DOT - ZERO) {
      const point = at;
      digit = (bytes[++at] ?? NO_BYTE) - ZERO;
      for (; digit >= 0 && digit <= 9; digit = (bytes[++at] ?? NO_BYTE) - ZERO)
        mantissa = mantissa * 10 + digit;
      decimals = at - point - 1;
      if (decimals === 0) return NaN;
    }
    const power = EXACT_POWERS[decimals];
    // Both exact, the quotient is rounded once, as the nearest double is. Adding digits never makes a mantissa smaller:
    // when the last is exact, all were.
    if (power === undefined || mantissa > Number.MAX_SAFE_INTEGER || ((digit + ZERO) & UPPER) === E)
      return this.#readText(start);
    this.#end = at;
    const value = mantissa / power;
    return first === start ? value : -value;
  }

  #readText(start: number): number {
    let end = start;
    while (isOfNumber(this.#bytes[end] ?? NO_BYTE)) end++;
    this.#end = end;
    const value = parseJsonNumber(this.#bytes.toString('latin1', start, end)) ?? NaN;
    return Number.isFinite(value) ? value : NaN;
  }
}

function isOfNumber(byte: number): boolean {
  return (
    (byte >= ZERO && byte <= NINE) || byte === DOT || byte === MINUS || byte === PLUS || (byte & UPPER) === E
  );
}
