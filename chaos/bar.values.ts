/** Contents are counted in the upper bits of the volume; below them is a mark of the bar. */
const MARK_BITS = 20;
const MARKS = 2 ** MARK_BITS;
/** Half of the bars have a volume with a long fraction, which dividing by a power of two makes without loss. */
const FRACTION = 2 ** 30;

/** The five values of a bar. */
export interface BarValues {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

/**
 * What a bar of a producer holds in a version: each value is another function of all three, so that a value that is
 * stored under another bar, symbol or version cannot pass for the right one. Among them are doubles that are easily
 * damaged: of 17 digits, subnormal, near the largest, beyond 2^53, negative.
 * @param content counts the versions of a producer, from 1
 */
export function valuesOf(salt: number, bar: number, content: number): BarValues {
  const kind = mix(salt, bar, content, 0) % PRICES.length;
  const price = PRICES[kind] ?? plain;
  const drawn = [1, 2, 3, 4].map((stream) => price(fractionOf(salt, bar, content, stream)));
  const [first = 0, second = 0] = drawn;
  const low = Math.min(...drawn);
  const high = Math.max(...drawn);
  const volume = (content * MARKS + markOf(salt, bar)) / scaleOf(salt, bar);
  return { open: first, high, low, close: second, volume };
}

/** The content that a bar with this volume claims to hold; undefined when it can be none of this bar. */
export function contentOf(salt: number, bar: number, volume: number): number | undefined {
  const whole = volume * scaleOf(salt, bar);
  const content = Math.floor(whole / MARKS);
  return content >= 1 && whole === content * MARKS + markOf(salt, bar) ? content : undefined;
}

/** Whether all five values are the same, to the bit. */
export function areSame(one: BarValues, other: BarValues): boolean {
  return (
    Object.is(one.open, other.open) &&
    Object.is(one.high, other.high) &&
    Object.is(one.low, other.low) &&
    Object.is(one.close, other.close) &&
    Object.is(one.volume, other.volume)
  );
}

const plain = (share: number): number => 1 + Math.round(share * 1_000_000) / 100;

/** Makes a price of a number from 0 to 1. */
const PRICES: readonly ((share: number) => number)[] = [
  plain,
  (share) => share * 1_000,
  (share) => -share * 40 - 0.1,
  (share) => (1 + Math.floor(share * 1e9)) * Number.MIN_VALUE,
  (share) => Number.MAX_VALUE * (1 - share / 2 ** 20),
  (share) => 2 ** 53 + 2 * Math.floor(share * 2 ** 40),
  (share) => share * 1e-7 + 1e-7,
  (share) => (share - 0.5) * 1e22,
];

const markOf = (salt: number, bar: number): number => mix(salt, bar, 0, 5) % MARKS;
const scaleOf = (salt: number, bar: number): number => (mix(salt, bar, 0, 6) % 2 === 0 ? 1 : FRACTION);

/** A number from 0 to 1 with all bits of a double. */
function fractionOf(salt: number, bar: number, content: number, stream: number): number {
  const upper = mix(salt, bar, content, stream) >>> 5;
  const lower = mix(salt, bar, content, stream + 16) >>> 6;
  return (upper * 2 ** 26 + lower) / 2 ** 53;
}

/** Mixes all four into 32 bits (the finish of MurmurHash3 after each). */
function mix(salt: number, bar: number, content: number, stream: number): number {
  let mixed = Math.imul(salt ^ 0x9e3779b9, 0x85ebca6b);
  for (const word of [bar, content, stream]) {
    mixed = Math.imul(mixed ^ word, 0xcc9e2d51);
    mixed ^= mixed >>> 16;
    mixed = Math.imul(mixed, 0x85ebca6b);
    mixed ^= mixed >>> 13;
    mixed = Math.imul(mixed, 0xc2b2ae35);
    mixed ^= mixed >>> 16;
  }
  return mixed >>> 0;
}
