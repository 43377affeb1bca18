import { OFFSET, TUPLE_BYTES, TUPLE_TEMPLATE, writeTimestamp } from '../../src/bars/tuple.js';

/** One-minute bars: every symbol of a minute, then the next minute, as a live feed brings them. */
export interface BarBlock {
  /** Symbols, from the first on. */
  readonly symbols: number;
  /** Minutes after the first of the data. */
  readonly firstMinute: number;
  readonly minutes: number;
  /** True: every second bar has another volume than without it. */
  readonly corrected?: boolean;
}

/** Bars of some days instead of minutes are the same, a day apart. */
export type BarInterval = '1m' | '1d';

export const PROVIDER = 'bench';
/** UTC year of all bars that are posted. */
export const YEAR = 2024;
/** Rows of one request, and of one COPY of those that go without the service. */
export const BATCH_ROWS = 5_000;

const FIRST_MS = Date.UTC(YEAR, 0, 1);
const STEP_MS = { '1m': 60_000, '1d': 86_400_000 };
const LEAST_CENTS = 10_000;
const SPAN_CENTS = 80_000;
const SPREAD_CENTS = 100;
/** Prices as text, by cents: making the data must not take longer than measuring with it. */
const PRICES = Array.from({ length: LEAST_CENTS + SPAN_CENTS + 2 * SPREAD_CENTS }, (_, cents) =>
  String(cents / 100),
);

type Visit = (
  symbol: number,
  minute: number,
  open: number,
  high: number,
  low: number,
  close: number,
  volume: number,
) => void;

/** Rows of a block. */
export function rowsOf({ symbols, minutes }: BarBlock): number {
  return symbols * minutes;
}

/** Name of a symbol. */
export function symbolName(symbol: number): string {
  return `SYM${String(symbol).padStart(7, '0')}`;
}

/** Start of a bar. */
export function instant(step: number, interval: BarInterval = '1m'): Date {
  return new Date(FIRST_MS + step * STEP_MS[interval]);
}

/** The block as bodies of JSON lines, about 157 bytes a row. */
export function ndjsonBodies(block: BarBlock, batchRows = BATCH_ROWS): Buffer[] {
  const times = timeTexts(block);
  const names = symbolNames(block);
  return texts(block, batchRows, (lines, symbol, minute, open, high, low, close, volume) =>
    lines.push(
      `{"provider":"${PROVIDER}","symbol":"${names[symbol]}","interval":"1m","ts":"${times(minute)}",` +
        `"open":${PRICES[open]},"high":${PRICES[high]},"low":${PRICES[low]},"close":${PRICES[close]},"volume":${volume}}\n`,
    ),
  );
}

/** The block in InfluxDB's line protocol, with precision in seconds. */
export function lineProtocolBodies(block: BarBlock, batchRows = BATCH_ROWS): Buffer[] {
  const names = symbolNames(block);
  return texts(block, batchRows, (lines, symbol, minute, open, high, low, close, volume) =>
    lines.push(
      `bars,provider=${PROVIDER},symbol=${names[symbol]},interval=1m ` +
        `open=${PRICES[open]},high=${PRICES[high]},low=${PRICES[low]},close=${PRICES[close]},volume=${volume} ` +
        `${(FIRST_MS + minute * STEP_MS['1m']) / 1_000}\n`,
    ),
  );
}

/** The block as text COPY takes it into the earlier table layout. */
export function textCopyBatches(block: BarBlock): Buffer[] {
  const times = timeTexts(block);
  const names = symbolNames(block);
  return texts(block, BATCH_ROWS, (lines, symbol, minute, open, high, low, close, volume) =>
    lines.push(
      `${PROVIDER}\t${names[symbol]}\t1m\t${times(minute)}\t` +
        `${PRICES[open]}\t${PRICES[high]}\t${PRICES[low]}\t${PRICES[close]}\t${volume}\n`,
    ),
  );
}

/** The block as binary COPY tuples of `bars`; `ids` are the series by symbol. */
export function tupleBatches(
  block: BarBlock,
  ids: Int32Array,
  receivedAtMicros: number,
  interval: BarInterval = '1m',
): Buffer[] {
  const batches: Buffer[] = [];
  for (let from = 0; from < rowsOf(block); from += BATCH_ROWS) {
    const rows = Math.min(BATCH_ROWS, rowsOf(block) - from);
    const tuples = Buffer.alloc(rows * TUPLE_BYTES, TUPLE_TEMPLATE);
    let at = 0;
    visit(block, from, from + rows, (symbol, minute, open, high, low, close, volume) => {
      tuples.writeInt32BE(ids[symbol] ?? 0, at + OFFSET.series);
      writeTimestamp(tuples, (FIRST_MS + minute * STEP_MS[interval]) * 1_000, at + OFFSET.ts);
      tuples.writeDoubleBE(open / 100, at + OFFSET.open);
      tuples.writeDoubleBE(high / 100, at + OFFSET.high);
      tuples.writeDoubleBE(low / 100, at + OFFSET.low);
      tuples.writeDoubleBE(close / 100, at + OFFSET.close);
      tuples.writeDoubleBE(volume, at + OFFSET.volume);
      writeTimestamp(tuples, receivedAtMicros, at + OFFSET.receivedAt);
      at += TUPLE_BYTES;
    });
    batches.push(tuples);
  }
  return batches;
}

/** Prices in cents, the same for the same symbol and minute in every run. */
function visit({ symbols, firstMinute, corrected }: BarBlock, from: number, end: number, call: Visit): void {
  for (let row = from; row < end; row += 1) {
    const symbol = row % symbols;
    const minute = firstMinute + Math.floor(row / symbols);
    const seed = (symbol * 7_919 + minute * 104_729) % SPAN_CENTS;
    const open = LEAST_CENTS + seed;
    const close = open + (seed % 61) - 30;
    const high = Math.max(open, close) + (seed % 23);
    const low = Math.min(open, close) - (seed % 29);
    const volume = 100_000 + ((symbol * 31 + minute * 17) % 900_000);
    call(symbol, minute, open, high, low, close, corrected === true && row % 2 === 1 ? volume + 1 : volume);
  }
}

function texts(
  block: BarBlock,
  batchRows: number,
  write: (lines: string[], ...bar: Parameters<Visit>) => void,
): Buffer[] {
  const bodies: Buffer[] = [];
  for (let from = 0; from < rowsOf(block); from += batchRows) {
    const lines: string[] = [];
    visit(block, from, Math.min(from + batchRows, rowsOf(block)), (...bar) => write(lines, ...bar));
    bodies.push(Buffer.from(lines.join('')));
  }
  return bodies;
}

function timeTexts({ firstMinute, minutes }: BarBlock): (minute: number) => string {
  const known = Array.from({ length: minutes }, (_, at) =>
    instant(firstMinute + at)
      .toISOString()
      .replace('.000', ''),
  );
  return (minute) => known[minute - firstMinute] ?? '';
}

function symbolNames({ symbols }: BarBlock): string[] {
  return Array.from({ length: symbols }, (_, symbol) => symbolName(symbol));
}
