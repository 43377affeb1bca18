import type { BarBatchBuilder } from '../../bar.batch-builder.js';
import { COMMA, LINE_FEED, MINUS, NO_BYTE, QUOTE, RETURN } from '../byte.codes.js';
import { MAX_ROW_BYTES } from '../row.limits.js';
import { type BarScanner, TS } from './bar.scanner.js';

/** A column that is none of a row's fields. */
export const UNKNOWN_COLUMN = -1;

/** Reads the rows of a CSV text in place. */
export class CsvRowScanner {
  readonly #bytes: Buffer;
  readonly #fields: readonly number[];

  /** `fields` tells the field of each column: its index in ROW_FIELDS, or UNKNOWN_COLUMN. */
  constructor(
    private readonly bar: BarScanner,
    bytes: Buffer,
    fields: readonly number[],
    private readonly batch: BarBatchBuilder,
  ) {
    this.#bytes = bytes;
    this.#fields = fields;
    this.resume();
  }

  /** To be called when the bar's scanner may have turned to another text. */
  resume(): void {
    this.bar.begin(this.#bytes, COMMA, this.batch);
  }

  /**
   * Adds the row at `start` to the batch. Returns the offset of the next line, -1 when the row is not surely a good one
   * or is written in an unusual way: it is not added then.
   */
  add(start: number): number {
    const bytes = this.#bytes;
    let at = start - 1;
    for (const field of this.#fields) {
      if (at >= start && bytes[at] !== COMMA) return -1;
      at = field === UNKNOWN_COLUMN ? this.#skip(at + 1) : this.#read(field, at + 1);
      if (at < 0) return -1;
    }
    const next = this.#lineEnd(at);
    return next >= 0 && next - start <= MAX_ROW_BYTES && this.bar.append() ? next : -1;
  }

  #read(field: number, start: number): number {
    const bytes = this.#bytes;
    const quoted = bytes[start] === QUOTE;
    const first = quoted ? start + 1 : start;
    // No JSON number has a minus between digits.
    const end = this.bar.read(field, first, field === TS && bytes[first + 4] === MINUS);
    if (!quoted || end < 0) return end;
    return bytes[end] === QUOTE ? end + 1 : -1;
  }

  #skip(start: number): number {
    let at = start;
    let byte = this.#bytes[at] ?? NO_BYTE;
    while (byte !== COMMA && byte !== LINE_FEED && byte !== RETURN && byte !== QUOTE && byte !== NO_BYTE)
      byte = this.#bytes[++at] ?? NO_BYTE;
    return at;
  }

  /** Offset of the next line when a line, or the text, ends at `at`; else -1. */
  #lineEnd(at: number): number {
    const { length } = this.#bytes;
    if (at === length) return at;
    const end = this.#bytes[at] === RETURN ? at + 1 : at;
    if (end === length) return end;
    return this.#bytes[end] === LINE_FEED ? end + 1 : -1;
  }
}
