import { POSTGRES_EPOCH_US } from '../tuple.js';
import type { BarLayout } from './bar.layout.js';
import type { BarPosition } from './bar.query.js';
import { NUMBER_BYTES, writeNumber } from './number.bytes.js';
import type { StoredSeries } from './series.pages.js';
import { TIMESTAMP_BYTES, writeTimestamp } from './timestamp.bytes.js';

/** Signature, flags and length of the header extension, which is empty, of the binary COPY format. */
const COPY_HEADER_BYTES = 19;
/** A field count; for each field its length and its value, all of fixed width. */
const TUPLE_BYTES = 2 + (4 + 4) + 6 * (4 + 8);
const SERIES_AT = 6;
const TS_AT = 14;
const NUMBERS_AT = 26;
const NUMBER_STEP = 12;
/** Stands in the place of a field count behind the last tuple. */
const TRAILER = -1;
const FIELDS = 7;
const TWO_32 = 2 ** 32;
/** Stands for the id of the only series, when the statement that reads its bars has found it. */
const ANY_SERIES = -1;

const MICROS_PER_SECOND = 1_000_000;
const MILLIS_PER_SECOND = 1_000;

/** What an encoder may be asked for besides. */
export interface BarEncoderOptions {
  /** Most bars that are written; those behind them are only counted. */
  readonly most?: number;
  /** Unix epoch seconds: each bar tells how old it is then. */
  readonly now?: number;
}

/**
 * Makes text of what one COPY ... TO STDOUT (FORMAT binary) sends, from bytes to bytes: neither an object nor a string
 * a bar.
 */
export class BarEncoder {
  private readonly prefixes = new Map<number, Buffer>();
  private readonly symbols = new Map<number, string>();
  private readonly most: number;
  private readonly now: number | undefined;
  private readonly longestBar: number;
  private seriesId = 0;
  private prefix: Buffer = Buffer.alloc(0);
  /** Of the bar written last, microseconds from 2000-01-01T00:00:00Z. */
  private micros = 0;
  /** What came of a tuple whose end has not come yet. */
  private rest: Buffer = Buffer.alloc(0);
  private headerLeft = COPY_HEADER_BYTES;
  private ended = false;
  private bars = 0;

  constructor(
    private readonly layout: BarLayout,
    series: Iterable<StoredSeries>,
    { most = Infinity, now }: BarEncoderOptions = {},
  ) {
    this.most = most;
    this.now = now;
    let longestPrefix = 0;
    for (const one of series) {
      const prefix = Buffer.from(this.layout.prefix(one), 'latin1');
      this.prefixes.set(one.id ?? ANY_SERIES, prefix);
      this.symbols.set(one.id ?? ANY_SERIES, one.symbol);
      longestPrefix = Math.max(longestPrefix, prefix.length);
    }
    const { separators, age: beforeAge, end } = layout;
    const between = separators.reduce((sum, text) => sum + text.length, end.length);
    const age = now === undefined ? 0 : beforeAge.length + NUMBER_BYTES;
    this.longestBar = longestPrefix + TIMESTAMP_BYTES + separators.length * NUMBER_BYTES + between + age;
  }

  /** The bar written last. */
  get last(): BarPosition | undefined {
    if (this.seriesId === 0) return undefined;
    const symbol = this.symbols.get(this.seriesId) ?? this.symbols.get(ANY_SERIES);
    if (symbol === undefined) return undefined;
    return { symbol, ts: this.micros + POSTGRES_EPOCH_US, seriesId: this.seriesId };
  }

  /** The text of the bars that are whole with this piece of the COPY. */
  encode(piece: Buffer): Buffer {
    const source = this.rest.length === 0 ? piece : Buffer.concat([this.rest, piece]);
    // Its reads are compiled to one instruction each; those of Buffer are not.
    const view = new DataView(source.buffer, source.byteOffset, source.length);
    let from = Math.min(this.headerLeft, source.length);
    this.headerLeft -= from;
    const target = Buffer.allocUnsafe(Math.ceil((source.length - from) / TUPLE_BYTES) * this.longestBar);
    let at = 0;
    for (; from + TUPLE_BYTES <= source.length; from += TUPLE_BYTES, this.bars++) {
      if (this.bars < this.most) at = this.writeBar(view, from, target, at);
    }
    this.rest = source.subarray(from);
    if (this.rest.length === 2 && this.rest.readInt16BE(0) === TRAILER) this.ended = true;
    return target.subarray(0, at);
  }

  /**
   * How many bars there were.
   * @throws Error when the COPY broke off before its end
   */
  end(): number {
    if (!this.ended) throw new Error('COPY broke off before its end');
    return this.bars;
  }

  private writeBar(source: DataView, from: number, target: Buffer, start: number): number {
    if (source.getInt16(from) !== FIELDS) throw new Error('COPY sent a tuple that is not a bar');
    const { separators, age, end } = this.layout;
    let at = put(this.prefixOf(source.getInt32(from + SERIES_AT)), target, start);
    this.micros = source.getInt32(from + TS_AT) * TWO_32 + source.getUint32(from + TS_AT + 4);
    at = writeTimestamp(this.micros, target, at);
    let value = from + NUMBERS_AT;
    for (const separator of separators) {
      at = put(separator, target, at);
      at = writeNumber(source.getFloat64(value), target, at);
      value += NUMBER_STEP;
    }
    if (this.now !== undefined) {
      at = put(age, target, at);
      at = writeNumber(this.ageAt(this.now), target, at);
    }
    return put(end, target, at);
  }

  /** Seconds to the millisecond: the clock has no more to tell. */
  private ageAt(now: number): number {
    const seconds = now - (this.micros + POSTGRES_EPOCH_US) / MICROS_PER_SECOND;
    // Adding 0 takes the sign from a zero.
    return Math.round(seconds * MILLIS_PER_SECOND) / MILLIS_PER_SECOND + 0;
  }

  private prefixOf(seriesId: number): Buffer {
    if (seriesId !== this.seriesId) {
      const prefix = this.prefixes.get(seriesId) ?? this.prefixes.get(ANY_SERIES);
      if (prefix === undefined)
        throw new Error(`COPY sent a bar of series ${seriesId}, which was not asked for`);
      this.seriesId = seriesId;
      this.prefix = prefix;
    }
    return this.prefix;
  }
}

/** For a few bytes a loop is faster than a call of copy(). */
function put(text: Buffer, target: Buffer, at: number): number {
  for (let index = 0; index < text.length; index++) target[at + index] = text[index] ?? 0;
  return at + text.length;
}
