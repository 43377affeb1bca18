import type { BarBatch } from './bar.batch.js';
import { seriesName } from './series.key.js';
import { yearOf } from './timestamp.js';
import { TooManyBarsError } from './too-many-bars.error.js';
import { OFFSET, POSTGRES_EPOCH_US, readTimestamp, TUPLE_BYTES, TUPLE_TEMPLATE, viewOf } from './tuple.js';

const TWO_32 = 2 ** 32;
const LEAST_CAPACITY_ROWS = 1;
/** A guess at the number of bars that is far too high must not take much memory. */
const MOST_FIRST_CAPACITY_ROWS = 16_384;

/** The year entered last, of whichever batch, and where it begins and ends: Unix epoch, microseconds. */
let entered = { year: 0, start: Infinity, end: -Infinity };

/** Collects bars, row by row, into one batch. */
export class BarBatchBuilder {
  readonly #maxLines: number;
  #tuples: Buffer;
  #view: DataView;
  #lines = 0;
  readonly #series: string[] = [];
  readonly #lastTs: number[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #years = new Set<number>();
  #yearStart = Infinity;
  #yearEnd = -Infinity;
  #ascending = true;

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
    this.append(
      this.seriesIndex(seriesName(provider, symbol, interval)),
      tsMicros,
      open,
      high,
      low,
      close,
      volume,
    );
  }

  /**
   * Index of the series of this name (see seriesName); it is added when it is new. The name may not be a slice of a
   * longer string, which it would keep in memory for as long as the batch waits.
   */
  seriesIndex(name: string): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const index = this.#series.push(name) - 1;
    this.#indexes.set(name, index);
    return index;
  }

  #enterYear(tsMicros: number): void {
    if (tsMicros < entered.start || tsMicros >= entered.end) {
      const year = yearOf(tsMicros);
      entered = { year, start: Date.UTC(year, 0, 1) * 1000, end: Date.UTC(year + 1, 0, 1) * 1000 };
    }
    this.#yearStart = entered.start;
    this.#yearEnd = entered.end;
    this.#years.add(entered.year);
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
