import type { BarBatchBuilder } from '../bar.batch-builder.js';
import { parseInterval } from '../interval.js';
import { isProvider, isSymbol } from '../series.key.js';
import { parseEpochSeconds, parseTimestamp, type TimestampProblem } from '../timestamp.js';
import { IgnoredFields } from './ignored.fields.js';
import type { RowErrorCode } from './row-error.codes.js';
import type { RowErrorList } from './row-error.list.js';
import type { RowField } from './row.fields.js';
import { PRICE_TOLERANCE } from './row.limits.js';
import { describeValue } from './value.text.js';

/**
 * The step from a row's field values, as a decoder of any format found them, into the batch. Text stands for text,
 * a number for a number; undefined, null and the empty text are a missing field. A bad row leaves one error.
 */
export class RowValidator {
  // Neighbouring rows are mostly of one series: a part equal to the last good one is not checked again. Empty at
  // first, which is safe as an empty part never gets that far.
  #rawProvider = '';
  #symbol = '';
  #rawInterval = '';
  #interval = '';

  /** What rows have besides. */
  readonly ignored = new IgnoredFields();

  readonly #batch: BarBatchBuilder;
  readonly #errors: RowErrorList;

  constructor(batch: BarBatchBuilder, errors: RowErrorList) {
    this.#batch = batch;
    this.#errors = errors;
  }

  /** Adds the row to the batch, or its first error in the order of ROW_FIELDS to the list. */
  add(
    line: number,
    provider: unknown,
    symbol: unknown,
    interval: unknown,
    ts: unknown,
    open: unknown,
    high: unknown,
    low: unknown,
    close: unknown,
    volume: unknown,
  ): void {
    if (!this.#isText(line, 'provider', provider) || !this.#acceptsProvider(line, provider)) return;
    if (!this.#isText(line, 'symbol', symbol) || !this.#acceptsSymbol(line, symbol)) return;
    if (!this.#isText(line, 'interval', interval) || !this.#acceptsInterval(line, interval)) return;
    const micros = this.#micros(line, ts);
    if (micros === undefined) return;
    if (!this.#isNumber(line, 'open', open)) return;
    if (!this.#isNumber(line, 'high', high)) return;
    if (!this.#isNumber(line, 'low', low)) return;
    if (!this.#isNumber(line, 'close', close)) return;
    if (!this.#isNumber(line, 'volume', volume)) return;
    if (volume < 0) {
      this.#refuse(line, 'volume', 'negative-volume', `volume ${volume} is below zero`);
    } else if (isBelow(high, open) || isBelow(high, low) || isBelow(high, close)) {
      const detail = `high ${high} is below ${Math.max(open, low, close)}, the highest of open, low and close`;
      this.#refuse(line, 'high', 'prices-inconsistent', detail);
    } else if (isBelow(open, low) || isBelow(close, low)) {
      const detail = `low ${low} is above ${Math.min(open, close)}, the lower of open and close`;
      this.#refuse(line, 'low', 'prices-inconsistent', detail);
    } else {
      const stored = this.#interval;
      if (!this.#batch.add(provider, symbol, stored, micros, open, high, low, close, volume))
        this.#refuseSpelling(line, provider, symbol);
    }
  }

  #acceptsProvider(line: number, provider: string): boolean {
    if (provider === this.#rawProvider) return true;
    if (!isProvider(provider)) {
      return this.#refuse(
        line,
        'provider',
        'invalid-provider',
        `provider ${describeValue(provider)} is not 1 to 64 characters of A-Z, a-z, 0-9, ".", "_" and "-"`,
      );
    }
    this.#rawProvider = provider;
    return true;
  }

  #acceptsSymbol(line: number, symbol: string): boolean {
    if (symbol === this.#symbol) return true;
    if (!isSymbol(symbol)) {
      return this.#refuse(
        line,
        'symbol',
        'invalid-symbol',
        `symbol ${describeValue(symbol)} is not 1 to 64 printable ASCII characters without spaces and commas`,
      );
    }
    this.#symbol = symbol;
    return true;
  }

  #acceptsInterval(line: number, interval: string): boolean {
    if (interval === this.#rawInterval) return true;
    const stored = parseInterval(interval);
    if (stored === undefined) {
      return this.#refuse(
        line,
        'interval',
        'invalid-interval',
        `interval ${describeValue(interval)} is not a count from 1 to 9999 and one of s, m, min, h, d, w, mo`,
      );
    }
    this.#rawInterval = interval;
    this.#interval = stored;
    return true;
  }

  #micros(line: number, ts: unknown): number | undefined {
    if (typeof ts === 'string' && ts !== '') return this.#acceptsInstant(line, ts, parseTimestamp(ts));
    if (typeof ts !== 'number') {
      this.#refuseType(line, 'ts', ts, 'a string or a number of seconds');
      return undefined;
    }
    return this.#isNumber(line, 'ts', ts) ? this.#acceptsInstant(line, ts, parseEpochSeconds(ts)) : undefined;
  }

  #acceptsInstant(line: number, ts: unknown, micros: number | TimestampProblem): number | undefined {
    if (typeof micros === 'number') return micros;
    this.#refuse(line, 'ts', micros.code, `ts ${describeValue(ts)} ${micros.reason}`);
    return undefined;
  }

  #isText(line: number, field: RowField, value: unknown): value is string {
    return (typeof value === 'string' && value !== '') || this.#refuseType(line, field, value, 'a string');
  }

  #isNumber(line: number, field: RowField, value: unknown): value is number {
    if (typeof value !== 'number') return this.#refuseType(line, field, value, 'a JSON number');
    return (
      Number.isFinite(value) ||
      this.#refuse(
        line,
        field,
        'not-finite',
        `${field} is larger than a 64-bit floating point number can hold`,
      )
    );
  }

  #refuseSpelling(line: number, provider: string, symbol: string): void {
    const earlier = this.#batch.spellingOf(provider, symbol, this.#interval);
    this.#refuse(
      line,
      'symbol',
      'symbol-case-conflict',
      `symbol ${describeValue(symbol)} is ${describeValue(earlier)} in an earlier row, and both are stored in upper case: ` +
        `write it alike, or name ${describeValue(provider)} in MDS_CASE_SENSITIVE_PROVIDERS if they are two symbols`,
    );
  }

  #refuseType(line: number, field: RowField, value: unknown, wanted: string): false {
    if (value === undefined || value === null || value === '') {
      return this.#refuse(line, field, 'missing-field', `${field} is missing`);
    }
    return this.#refuse(line, field, 'wrong-type', `${field} must be ${wanted}, not ${describeValue(value)}`);
  }

  #refuse(line: number, field: RowField, code: RowErrorCode, detail: string): false {
    this.#errors.add(line, field, code, detail);
    return false;
  }
}

/** Whether a price is below another by more than rounding explains. */
function isBelow(price: number, other: number): boolean {
  return price < other && other - price > PRICE_TOLERANCE * Math.max(Math.abs(price), Math.abs(other));
}
