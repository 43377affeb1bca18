import { MalformedBodyError } from './malformed-body.error.js';
import { limitText, MAX_ROW_BYTES } from './row.limits.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;

/** Fields of a record that are kept: without a bound, a body of nothing but commas takes many times its size. */
export const MAX_CSV_FIELDS = 1024;

/** Reads the records of a CSV text (RFC 4180, or with LF alone at a line's end), one after the other. */
export class CsvReader {
  readonly #text: string;
  #at = 0;
  #width = 0;

  /** The first MAX_CSV_FIELDS fields of the record read last; read() replaces them, in the same array. */
  readonly fields: string[] = [];

  constructor(text: string) {
    this.#text = text;
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
    while (this.#isLineEnd()) this.#skipLine();
    if (this.#at >= this.#text.length) return 'end';
    this.#width = 0;
    do {
      const field = this.#text.charCodeAt(this.#at) === QUOTE ? this.#quoted() : this.#plain();
      if (this.#width < MAX_CSV_FIELDS) this.fields[this.#width] = field;
      this.#width++;
    } while (this.#skipComma());
    this.fields.length = Math.min(this.#width, MAX_CSV_FIELDS);
    const complete = this.#isLineEnd() || this.#at >= this.#text.length;
    this.#skipLine();
    return complete ? 'record' : 'malformed';
  }

  #plain(): string {
    const start = this.#at;
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === COMMA || code === LINE_FEED || code === QUOTE) break;
      if (code === RETURN && this.#isLineEnd()) break;
    }
    return this.#text.slice(start, this.#at);
  }

  #quoted(): string {
    const start = this.#at + 1;
    let end = this.#closingQuote(start);
    let doubled = false;
    for (; this.#text.charCodeAt(end + 1) === QUOTE; end = this.#closingQuote(end + 2)) doubled = true;
    this.#at = end + 1;
    const value = this.#text.slice(start, end);
    return doubled ? value.replaceAll('""', '"') : value;
  }

  #closingQuote(from: number): number {
    const quote = this.#text.indexOf('"', from);
    // Undoubling the quotes of a field as long as the body takes many times its size.
    if (quote >= 0 && quote - this.#at <= MAX_ROW_BYTES) return quote;
    const fault = quote < 0 ? 'never closed' : `not closed within ${limitText(MAX_ROW_BYTES)} characters`;
    throw new MalformedBodyError(
      `The quote opened at character ${this.#at + 1} of the CSV text is ${fault}.`,
    );
  }

  #skipComma(): boolean {
    if (this.#text.charCodeAt(this.#at) !== COMMA) return false;
    this.#at++;
    return true;
  }

  /** Whether LF, CR LF or a last CR comes next; elsewhere a CR belongs to its field. */
  #isLineEnd(): boolean {
    const code = this.#text.charCodeAt(this.#at);
    if (code !== RETURN) return code === LINE_FEED;
    return this.#at + 1 === this.#text.length || this.#text.charCodeAt(this.#at + 1) === LINE_FEED;
  }

  #skipLine(): void {
    const lineFeed = this.#text.indexOf('\n', this.#at);
    this.#at = lineFeed < 0 ? this.#text.length : lineFeed + 1;
  }
}
