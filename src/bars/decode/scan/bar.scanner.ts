import type { BarBatchBuilder } from '../../bar.batch-builder.js';
import { parseEpochSeconds } from '../../timestamp.js';
import { NO_BYTES, QUOTE } from '../byte.codes.js';
import { NumberScanner } from './number.scanner.js';
import { SeriesScanner } from './series.scanner.js';
import { TimestampScanner } from './timestamp.scanner.js';

/** The fields of a row as numbers: indexes into ROW_FIELDS. */
export const PROVIDER = 0;
export const SYMBOL = 1;
export const INTERVAL = 2;
export const TS = 3;
export const OPEN = 4;
export const HIGH = 5;
export const LOW = 6;
export const CLOSE = 7;
export const VOLUME = 8;

/** Reads the values of one row after the other where they lie in the text, without making any object or string. */
export class BarScanner {
  #batch: BarBatchBuilder | undefined;
  readonly #series = new SeriesScanner();
  readonly #numbers = new NumberScanner();
  readonly #timestamps = new TimestampScanner();
  /** By field; those of the key are unused. */
  readonly #values = new Float64Array(VOLUME + 1);

  /** Releases the text. */
  end(): void {
    this.begin(NO_BYTES, QUOTE, undefined);
  }

  /** Turns to another text. `delimiter` is a byte that, beside the quote, cannot be in a part that is written plainly. */
  begin(bytes: Buffer, delimiter: number, batch: BarBatchBuilder | undefined): void {
    this.#batch = batch;
    this.#series.begin(bytes, delimiter, batch);
    this.#numbers.begin(bytes);
    this.#timestamps.begin(bytes);
  }

  /**
   * Reads the value of a field that starts at `start`; `isText` tells whether a time is text. Returns the offset of the
   * first byte behind it, -1 when it is none or unusual. What that byte is must be checked: it may belong to the value.
   */
  read(field: number, start: number, isText: boolean): number {
    if (field < TS) return this.#series.read(field, start);
    if (field === TS && isText) {
      const ts = this.#timestamps.read(start);
      this.#values[TS] = ts;
      return Number.isNaN(ts) ? -1 : this.#timestamps.end;
    }
    let value = this.#numbers.read(start);
    if (Number.isNaN(value)) return -1;
    if (field === TS) {
      const ts = parseEpochSeconds(value);
      if (typeof ts !== 'number') return -1;
      value = ts;
    }
    this.#values[field] = value;
    return this.#numbers.end;
  }

  /** Offset of the first byte behind the number at `start`; -1 when there is none. */
  skipNumber(start: number): number {
    return Number.isNaN(this.#numbers.read(start)) ? -1 : this.#numbers.end;
  }

  /** Adds the bar of the nine values read last to the batch; false when it is not a good one. */
  append(): boolean {
    const values = this.#values;
    const open = values[OPEN] ?? NaN;
    const high = values[HIGH] ?? NaN;
    const low = values[LOW] ?? NaN;
    const close = values[CLOSE] ?? NaN;
    const volume = values[VOLUME] ?? NaN;
    const consistent = high >= open && high >= close && high >= low && low <= open && low <= close;
    if (!consistent || !(volume >= 0)) return false;
    const series = this.#series.index();
    if (series < 0) return false;
    this.#batch?.append(series, values[TS] ?? NaN, open, high, low, close, volume);
    return true;
  }
}
