import type { BarBatch, OnConflict } from './bar.batch.js';
import { seriesName } from './series.key.js';
import { type SymbolCase, UPPER_CASE } from './symbol.case.js';
import { SymbolSpellings } from './symbol.spellings.js';
import { yearOf } from './timestamp.js';
import { TooManyBarsError } from './too-many-bars.error.js';
import { tuplePool } from './tuple.pool.js';
import { OFFSET, POSTGRES_EPOCH_US, readTimestamp, TUPLE_BYTES, TUPLE_TEMPLATE, viewOf } from './tuple.js';

const TWO_32 = 2 ** 32;
/** What is kept from one batch to the next: 1.5 MB. */
const KEPT_ROWS = 16_384;

const NO_TUPLES = Buffer.alloc(0);
const VALUES = [OFFSET.open, OFFSET.high, OFFSET.low, OFFSET.close, OFFSET.volume];

/** Room for tuples, each as it is before its values are written. */
interface Room {
  readonly tuples: Buffer;
  readonly view: DataView;
}

/** The room of a batch that is finished, for the next one: room of its own costs a short body more than its bars do. */
let spare: Room | undefined;

/** The year entered last, of whichever batch, and where it begins and ends: Unix epoch, microseconds. */
let entered = { year: 0, start: Infinity, end: -Infinity };

/** Collects bars, row by row, into one batch. */
export class BarBatchBuilder {
  readonly #maxLines: number;
  #tuples: Buffer;
  #view: DataView;
  /** Lines for which there is room. */
  #room: number;
  #lines = 0;
  readonly #series: string[] = [];
  readonly #lastTs: number[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #spellings = new SymbolSpellings();
  readonly #years = new Set<number>();
  #yearStart = Infinity;
  #yearEnd = -Infinity;
  #ascending = true;

  /**
   * `maxLines` is the most that may be added; `symbolCase` tells how symbols are stored; `onConflict` what becomes of two
   * bars of one series and ts.
   */
  constructor(
    maxLines = Infinity,
    readonly symbolCase: SymbolCase = UPPER_CASE,
    private readonly onConflict: OnConflict = 'replace',
  ) {
    this.#maxLines = maxLines;
    const { tuples, view } = spare ?? roomFor(KEPT_ROWS);
    spare = undefined;
    this.#tuples = tuples;
    this.#view = view;
    this.#room = Math.min(KEPT_ROWS, maxLines);
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
    if (this.#lines === this.#room) this.#grow();
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

  /** The batch of all bars added, of each series and ts the last one, or the first with `keep`. Nothing after it. */
  finish(): BarBatch {
    const added = this.#tuples.subarray(0, this.#lines * TUPLE_BYTES);
    const { kept, repeated, superseded } = this.#ascending
      ? { kept: added, repeated: NO_TUPLES, superseded: 0 }
      : setRepeatedApart(added, this.onConflict);
    // The queue counts rows: it must not hold much more memory than they need while a batch waits.
    const isLoose = kept.length < 0.75 * this.#tuples.length;
    const tuples = isLoose || this.#hasSpareRoom ? tuplePool.copyOf(kept) : kept;
    const others = repeated.length > 0 ? Buffer.from(repeated) : undefined;
    this.discard();
    return {
      rows: tuples.length / TUPLE_BYTES,
      lines: this.#lines,
      superseded,
      repeated: others,
      series: this.#series,
      years: this.#years,
      tuples,
      onConflict: this.onConflict,
      receivedAt: 0,
    };
  }

  /** Gives the room to the next batch; what was added is lost. Does nothing after `finish`. */
  discard(): void {
    if (this.#hasSpareRoom) spare = { tuples: this.#tuples, view: this.#view };
    this.#tuples = NO_TUPLES;
    this.#room = this.#lines;
  }

  /**
   * Appends one bar of the series whose key has these parts, the interval in its stored form and the symbol as it is
   * written; the rest as append takes it. False when an earlier bar has the symbol in another spelling that would be
   * stored alike: it is not added then.
   */
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
  ): boolean {
    const stored = this.symbolCase.stored(provider, symbol);
    const name = seriesName(provider, stored, interval);
    const series = this.seriesIndex(name, stored === symbol ? name : seriesName(provider, symbol, interval));
    if (series < 0) return false;
    this.append(series, tsMicros, open, high, low, close, volume);
    return true;
  }

  /**
   * Index of the series of this name (see seriesName); it is added when it is new. `written` is the name with the symbol
   * as it is written; -1 when an earlier series has the symbol in another spelling. The name may not be a slice of a
   * longer string, which it would keep in memory for as long as the batch waits.
   */
  seriesIndex(name: string, written = name): number {
    if (!this.#spellings.take(name, written, this.#series)) return -1;
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const index = this.#series.push(name) - 1;
    this.#indexes.set(name, index);
    return index;
  }

  /** How an earlier bar has the symbol, of a series whose symbol was refused in another spelling. */
  spellingOf(provider: string, symbol: string, interval: string): string {
    return this.#spellings.firstOf(seriesName(provider, this.symbolCase.stored(provider, symbol), interval));
  }

  /** Whether it works in the room that goes from batch to batch; one that has grown is longer. */
  get #hasSpareRoom(): boolean {
    return this.#tuples.length === KEPT_ROWS * TUPLE_BYTES;
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
    const { tuples, view } = roomFor(Math.min(2 * this.#lines, this.#maxLines));
    this.#tuples.copy(tuples);
    this.discard();
    this.#tuples = tuples;
    this.#view = view;
    this.#room = tuples.length / TUPLE_BYTES;
  }
}

/**
 * Keeps one tuple of each series and ts, in their order: the last, or with `keep` the first. Sets the others apart, in any
 * order, and counts those of them that have other values than the one that is kept.
 */
function setRepeatedApart(
  tuples: Buffer,
  onConflict: OnConflict,
): { readonly kept: Buffer; readonly repeated: Buffer; readonly superseded: number } {
  // From the one that is kept towards the others. Between `next` and `at` lie those that are set apart.
  const step = onConflict === 'keep' ? TUPLE_BYTES : -TUPLE_BYTES;
  const first = step > 0 ? 0 : tuples.length - TUPLE_BYTES;
  /** By series: where the tuple of each ts that is kept lies now. */
  const places: Map<number, number>[] = [];
  let next = first;
  let superseded = 0;
  const moved = Buffer.alloc(TUPLE_BYTES);
  for (let at = first; at >= 0 && at < tuples.length; at += step) {
    const ofSeries = (places[tuples.readInt32BE(at + OFFSET.series)] ??= new Map<number, number>());
    const ts = readTimestamp(tuples, at + OFFSET.ts);
    const kept = ofSeries.get(ts);
    if (kept !== undefined) {
      if (!haveSameValues(tuples, at, kept)) superseded++;
      continue;
    }
    ofSeries.set(ts, next);
    if (next !== at) {
      tuples.copy(moved, 0, next, next + TUPLE_BYTES);
      tuples.copyWithin(next, at, at + TUPLE_BYTES);
      moved.copy(tuples, at);
    }
    next += step;
  }
  const cut = step > 0 ? next : next + TUPLE_BYTES;
  const [before, after] = [tuples.subarray(0, cut), tuples.subarray(cut)];
  return step > 0
    ? { kept: before, repeated: after, superseded }
    : { kept: after, repeated: before, superseded };
}

/** As PostgreSQL compares them: -0 equals 0. */
function haveSameValues(tuples: Buffer, at: number, other: number): boolean {
  return VALUES.every((offset) => tuples.readDoubleBE(at + offset) === tuples.readDoubleBE(other + offset));
}

function roomFor(rows: number): Room {
  // One fill for many rows costs less than a copy of the template for each.
  const tuples = Buffer.allocUnsafeSlow(rows * TUPLE_BYTES).fill(TUPLE_TEMPLATE);
  return { tuples, view: viewOf(tuples) };
}
