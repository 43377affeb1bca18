import { COMMA, LINE_FEED, QUOTE, RETURN } from './byte.codes.js';
import { MalformedBodyError } from './malformed-body.error.js';
import { checkBlankLines, limitText, MAX_ROW_BYTES } from './row.limits.js';

/** Fields that a record may have: without a bound, a body of nothing but commas takes many times its size. */
export const MAX_CSV_FIELDS = 1024;

/** Reads the records of a CSV text (RFC 4180, or with LF alone at a line's end), one after the other. */
export class CsvReader {
  readonly #bytes: Buffer;
  #width = 0;
  #blankLines = 0;
  /** Where the record that is read must have ended. */
  #limit = 0;

  /** Offset of the first byte that is not read yet. */
  at = 0;

  /** The fields of the record read last; read() replaces them, in the same array. */
  readonly fields: string[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Fields in the record read last. */
  get width(): number {
    return this.#width;
  }

  /**
   * Reads the next record that is not an empty line; `before` says how many were read before it. The fields mean nothing
   * when it is malformed (a quote where RFC 4180 allows none), `wide` (more than MAX_CSV_FIELDS fields) or `long` (more
   * than MAX_ROW_BYTES); its line is passed over then.
   * @throws MalformedBodyError for a quote that is never closed, or closed too late, and for too many empty lines
   */
  read(before: number): 'record' | 'malformed' | 'wide' | 'long' | 'end' {
    for (; this.#isLineEnd(); this.at += this.#bytes[this.at] === RETURN ? 2 : 1)
      checkBlankLines(++this.#blankLines, before);
    if (this.at >= this.#bytes.length) return 'end';
    this.#width = 0;
    this.#limit = this.at + MAX_ROW_BYTES;
    do {
      this.fields[this.#width++] = this.#bytes[this.at] === QUOTE ? this.#quoted() : this.#plain();
      if (this.at > this.#limit) return this.#passOver('long');
      if (this.#width > MAX_CSV_FIELDS) return this.#passOver('wide');
    } while (this.#skipComma());
    this.fields.length = this.#width;
    const complete = this.#isLineEnd() || this.at >= this.#bytes.length;
    this.#skipLine();
    return complete ? 'record' : 'malformed';
  }

  #plain(): string {
    const start = this.at;
    for (; this.at < this.#bytes.length && this.at <= this.#limit; this.at++) {
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

  #passOver<Fault>(fault: Fault): Fault {
    this.#skipLine();
    return fault;
  }

  #skipLine(): void {
    const lineFeed = this.#bytes.indexOf(LINE_FEED, this.at);
    this.at = lineFeed < 0 ? this.#bytes.length : lineFeed + 1;
  }

  #text(start: number, end: number): string {
    return this.#bytes.toString('utf8', start, end);
  }
}
