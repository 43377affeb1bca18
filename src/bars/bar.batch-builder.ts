import type { BarBatch } from './bar.batch.js';
import type { SeriesKey } from './series.key.js';
import { TooManyBarsError } from './too-many-bars.error.js';
import { OFFSET, POSTGRES_EPOCH_US, readTimestamp, TUPLE_BYTES, TUPLE_TEMPLATE, viewOf } from './tuple.js';

const TWO_32 = 2 ** 32;
const LEAST_CAPACITY_ROWS = 1;
/** A guess at the number of bars that is far too high must not take much memory. */
const MOST_FIRST_CAPACITY_ROWS = 16_384;

/** Collects bars, row by row, into one batch. */
export class BarBatchBuilder {
  readonly #maxLines: number;
  #tuples: Buffer;
  #view: DataView;
  #lines = 0;
  readonly #series: SeriesKey[] = [];
  readonly #lastTs: number[] = [];
  readonly #indexes = new Map<string, Map<string, Map<string, number>>>();
  readonly #years = new Set<number>();
  #yearStart = Infinity;
  #yearEnd = -Infinity;
  #ascending = true;
  #lastKey: SeriesKey | undefined;
  #lastIndex = -1;

  /** `expectedLines` is a guess at how many bars will be added, `maxLines` the most that may be. */
  constructor(expectedLines = LEAST_CAPACITY_ROWS, maxLines = Infinity) {
    this.#maxLines = maxLines;
    const rows = Math.floor(
      Math.min(Math.max(expectedLines, LEAST_CAPACITY_ROWS), MOST_FIRST_CAPACITY_ROWS, maxLines),
    );
    this.#tuples = Buffer.allocUnsafe(rows * TUPLE_BYTES).fill(TUPLE_TEMPLATE);
    this.#view = viewOf(this.#tuples);
  }

  /**
   * Appends one bar: the index of its series, and the instant in Unix epoch microseconds, a safe integer.
   * @throws TooManyBarsError
   */
  append(
    series: number,
    tsMicros: number,
    open: number,
    high: number,
    low: number,
    close: number,
    volume: number,
  ): void {
    const at = this.#lines * TUPLE_BYTES;
    if (at === this.#tuples.length) this.#grow();
    if (tsMicros <= (this.#lastTs[series] ?? -Infinity)) this.#ascending = false;
    this.#lastTs[series] = tsMicros;
    if (tsMicros < this.#yearStart || tsMicros >= this.#yearEnd) this.#enterYear(tsMicros);

    // DataView writes compile to a store each; those of Buffer check and copy byte by byte.
    const view = this.#view;
    view.setInt32(at + OFFSET.series, series);
    const ts = tsMicros - POSTGRES_EPOCH_US;
    const high32 = Math.floor(ts / TWO_32);
    view.setInt32(at + OFFSET.ts, high32);
    view.setUint32(at + OFFSET.ts + 4, ts - high32 * TWO_32);
    view.setFloat64(at + OFFSET.open, open);
    view.setFloat64(at + OFFSET.high, high);
    view.setFloat64(at + OFFSET.low, low);
    view.setFloat64(at + OFFSET.close, close);
    view.setFloat64(at + OFFSET.volume, volume);
    this.#lines++;
  }

  /** The batch of all bars added, without those that a later one of the same series and ts replaced. Call it once. */
  finish(): BarBatch {
    const added = this.#tuples.subarray(0, this.#lines * TUPLE_BYTES);
    const kept = this.#ascending ? added : this.#withoutReplaced(added);
    // The queue counts rows: it must not hold much more memory than they need while a batch waits.
    const tuples = kept.length < 0.75 * this.#tuples.length ? Buffer.from(kept) : kept;
    return {
      rows: tuples.length / TUPLE_BYTES,
      lines: this.#lines,
      series: this.#series,
      years: this.#years,
      tuples,
      receivedAt: 0,
    };
  }

  /** Appends one bar of the series whose key has these parts, in their stored form; the rest as append takes it. */
  add(
    provider: string,
    symbol: string,
    interval: string,
    tsMicros: number,
    open: number,
    high: number,
    low: number,
    close: number,
    volume: number,
  ): void {
    const series = this.seriesIndex(provider, symbol, interval);
    this.append(series, tsMicros, open, high, low, close, volume);
  }

  /**
   * Index of the series whose key has these parts, in their stored form; it is added when it is new. No part may be a
   * slice of a longer string, which it would keep in memory for as long as the batch waits.
   */
  seriesIndex(provider: string, symbol: string, interval: string): number {
    const last = this.#lastKey;
    if (last?.symbol === symbol && last.provider === provider && last.interval === interval)
      return this.#lastIndex;
    const index =
      this.#indexes.get(provider)?.get(interval)?.get(symbol) ?? this.#addSeries(provider, symbol, interval);
    this.#lastKey = this.#series[index];
    this.#lastIndex = index;
    return index;
  }

  /** The key of the series of this index; undefined when there is none. */
  keyOf(series: number): SeriesKey | undefined {
    return this.#series[series];
  }

  #addSeries(provider: string, symbol: string, interval: string): number {
    const index = this.#series.push({ provider, symbol, interval }) - 1;
    // Symbols innermost: a body has many of them, but few providers and intervals.
    const intervals = this.#indexes.get(provider) ?? new Map<string, Map<string, number>>();
    const symbols = intervals.get(interval) ?? new Map<string, number>();
    this.#indexes.set(provider, intervals.set(interval, symbols.set(symbol, index)));
    return index;
  }

  #enterYear(tsMicros: number): void {
    const year = new Date(Math.floor(tsMicros / 1000)).getUTCFullYear();
    this.#yearStart = Date.UTC(year, 0, 1) * 1000;
    this.#yearEnd = Date.UTC(year + 1, 0, 1) * 1000;
    this.#years.add(year);
  }

  #grow(): void {
    if (this.#lines >= this.#maxLines) throw new TooManyBarsError(this.#maxLines);
    const filled = this.#tuples.length;
    const grown = Buffer.allocUnsafe(Math.min(2 * filled, this.#maxLines * TUPLE_BYTES));
    this.#tuples.copy(grown);
    // One fill for many rows costs less than a copy of the template for each.
    this.#tuples = grown.fill(TUPLE_TEMPLATE, filled);
    this.#view = viewOf(grown);
  }

  /** Goes from the last tuple to the first and moves those to keep to the end, so that their order stays. */
  #withoutReplaced(tuples: Buffer): Buffer {
    const seen = this.#series.map(() => new Set<number>());
    let start = tuples.length;
    for (let at = tuples.length - TUPLE_BYTES; at >= 0; at -= TUPLE_BYTES) {
      const ofSeries = seen[tuples.readInt32BE(at + OFFSET.series)];
      const ts = readTimestamp(tuples, at + OFFSET.ts);
      if (ofSeries === undefined || ofSeries.has(ts)) continue;
      ofSeries.add(ts);
      start -= TUPLE_BYTES;
      if (start !== at) tuples.copyWithin(start, at, at + TUPLE_BYTES);
    }
    return tuples.subarray(start);
  }
}
