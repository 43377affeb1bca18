const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/** Most bytes that a number takes up. */
export const NUMBER_BYTES = 26;

/** Up to 15 digits every decimal is another double, so that what reads back is the shortest there is. */
const EXACT = 1e15;
/** Below it JavaScript writes an exponent. */
const SMALLEST_PLAIN = 1e-6;
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10] as const;
const TEN_MILLION = 1e7;

/**
 * Writes the shortest text that reads back to the same bits, as `String(value)` gives it but with the sign of zero,
 * and returns where it ends. Decimals of few digits, as prices are, are written without making a string.
 */
export function writeNumber(value: number, target: Buffer, at: number): number {
  if (value < 0 || Object.is(value, -0)) {
    target[at++] = MINUS;
    value = -value;
  }
  if (value < EXACT && (value >= SMALLEST_PLAIN || value === 0)) {
    for (let decimals = 0; decimals < POWERS.length; decimals++) {
      const power = POWERS[decimals] ?? 1;
      const whole = Math.round(value * power);
      if (whole >= EXACT) break;
      // A quotient of two exact doubles is the double nearest to the decimal: equal means that this is its text.
      if (whole / power === value) return writeDecimal(whole, decimals, target, at);
    }
  }
  return at + target.write(String(value), at, 'latin1');
}

/** Writes `whole` with a point before its last `decimals` digits. */
function writeDecimal(whole: number, decimals: number, target: Buffer, at: number): number {
  const digits = Math.max(digitCount(whole), decimals + 1);
  const end = at + digits + (decimals > 0 ? 1 : 0);
  const point = decimals > 0 ? end - decimals - 1 : -1;
  let high = Math.floor(whole / TEN_MILLION);
  // Integers of 31 bits: dividing them costs a fraction of dividing doubles.
  let rest = whole - high * TEN_MILLION;
  let left = 7;
  for (let place = end - 1; place >= at; place--) {
    if (place === point) {
      target[place] = POINT;
      continue;
    }
    if (left-- === 0) {
      rest = high % TEN_MILLION;
      high = Math.floor(high / TEN_MILLION);
      left = 6;
    }
    const quotient = (rest / 10) | 0;
    target[place] = ZERO + rest - quotient * 10;
    rest = quotient;
  }
  return end;
}

function digitCount(whole: number): number {
  let count = 1;
  for (let bound = 10; whole >= bound; bound *= 10) count++;
  return count;
}
