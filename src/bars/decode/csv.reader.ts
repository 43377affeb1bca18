import { COMMA, LINE_FEED, QUOTE, RETURN } from './byte.codes.js';
import { MalformedBodyError } from './malformed-body.error.js';
import { limitText, MAX_ROW_BYTES } from './row.limits.js';

/** Fields of a record that are kept: without a bound, a body of nothing but commas takes many times its size. */
export const MAX_CSV_FIELDS = 1024;

/** Reads the records of a CSV text (RFC 4180, or with LF alone at a line's end), one after the other. */
export class CsvReader {
  readonly #bytes: Buffer;
  #width = 0;

  /** Offset of the first byte that is not read yet. */
  at = 0;

  /** The first MAX_CSV_FIELDS fields of the record read last; read() replaces them, in the same array. */
  readonly fields: string[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Fields in the record read last. */
  get width(): number {
    return this.#width;
  }

  /**
   * Reads the next record that is not an empty line. The fields of a malformed one (a quote where RFC 4180 allows
   * none) mean nothing. Throws MalformedBodyError for a quote that is never closed, or closed too late.
   */
  read(): 'record' | 'malformed' | 'end' {
    // A text may have 64 Mi of them: looking for the end of each would take seconds.
    while (this.#isLineEnd()) this.at += this.#bytes[this.at] === RETURN ? 2 : 1;
    if (this.at >= this.#bytes.length) return 'end';
    this.#width = 0;
    do {
      const field = this.#bytes[this.at] === QUOTE ? this.#quoted() : this.#plain();
      if (this.#width < MAX_CSV_FIELDS) this.fields[this.#width] = field;
      this.#width++;
    } while (this.#skipComma());
    this.fields.length = Math.min(this.#width, MAX_CSV_FIELDS);
    const complete = this.#isLineEnd() || this.at >= this.#bytes.length;
    this.#skipLine();
    return complete ? 'record' : 'malformed';
  }

  #plain(): string {
    const start = this.at;
    for (; this.at < this.#bytes.length; this.at++) {
      const byte = this.#bytes[this.at];
      if (byte === COMMA || byte === LINE_FEED || byte === QUOTE) break;
      if (byte === RETURN && this.#isLineEnd()) break;
    }
    return this.#text(start, this.at);
  }

  #quoted(): string {
    const start = this.at + 1;
    let end = this.#closingQuote(start);
    let doubled = false;
    for (; this.#bytes[end + 1] === QUOTE; end = this.#closingQuote(end + 2)) doubled = true;
    this.at = end + 1;
    const value = this.#text(start, end);
    return doubled ? value.replaceAll('""', '"') : value;
  }

  #closingQuote(from: number): number {
    const quote = this.#bytes.indexOf(QUOTE, from);
    // Undoubling the quotes of a field as long as the body takes many times its size.
    if (quote >= 0 && quote - this.at <= MAX_ROW_BYTES) return quote;
    const fault = quote < 0 ? 'never closed' : `not closed within ${limitText(MAX_ROW_BYTES)} bytes`;
    const character = this.#text(0, this.at).length + 1;
    throw new MalformedBodyError(`The quote opened at character ${character} of the CSV text is ${fault}.`);
  }

  #skipComma(): boolean {
    if (this.#bytes[this.at] !== COMMA) return false;
    this.at++;
    return true;
  }

  /** Whether LF, CR LF or a last CR comes next; elsewhere a CR belongs to its field. */
  #isLineEnd(): boolean {
    const byte = this.#bytes[this.at];
    if (byte !== RETURN) return byte === LINE_FEED;
    return this.at + 1 === this.#bytes.length || this.#bytes[this.at + 1] === LINE_FEED;
  }

  #skipLine(): void {
    const lineFeed = this.#bytes.indexOf(LINE_FEED, this.at);
    this.at = lineFeed < 0 ? this.#bytes.length : lineFeed + 1;
  }

  #text(start: number, end: number): string {
    return this.#bytes.toString('utf8', start, end);
  }
}
