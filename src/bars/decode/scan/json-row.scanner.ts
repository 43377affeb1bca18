import type { BarBatchBuilder } from '../../bar.batch-builder.js';
import { viewOf } from '../../tuple.js';
import type { IgnoredFields } from '../ignored.fields.js';
import {
  BACKSLASH,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  LINE_FEED,
  NINE,
  NO_BYTE,
  OPEN_OBJECT,
  QUOTE,
  RETURN,
  SPACE,
  TAB,
  ZERO,
} from '../byte.codes.js';
import {
  type BarScanner,
  CLOSE,
  HIGH,
  INTERVAL,
  LOW,
  OPEN,
  PROVIDER,
  SYMBOL,
  TS,
  VOLUME,
} from './bar.scanner.js';
import type { RowShape } from './row.shape.js';

/** Bytes of the longest key and its closing quote. */
const LONGEST_KEY_BYTES = 9;
/** Bytes of each key and its quotes, by field. */
const KEY_BYTES = Int8Array.of(10, 8, 10, 4, 6, 6, 5, 7, 8);
const ALL_FIELDS = (1 << (VOLUME + 1)) - 1;
/** Fields that no bar has: of a row with more, or with a longer name, the row is unusual. */
const MOST_UNKNOWN = 64;
const LONGEST_UNKNOWN_BYTES = 256;
const UNKNOWN = -1;
const UNDECIDED = -2;
const LITERALS = ['true', 'false', 'null'].map((text) => Buffer.from(text));

/** Reads the rows of a JSON text in place. */
export class JsonRowScanner {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #shape: RowShape;
  readonly #linesEndRows: boolean;
  /**
   * Where the names of the unknown fields start and end that are not told yet. A row that is not appended leaves them to
   * the next one that is written alike.
   */
  readonly #unknown = new Int32Array(2 * MOST_UNKNOWN);
  #unknownEnd = 0;

  /**
   * `shape` tells how a row was written that was read before, in this text or another. With `linesEndRows` a line feed is
   * not a blank.
   */
  constructor(
    private readonly bar: BarScanner,
    shape: RowShape,
    bytes: Buffer,
    linesEndRows: boolean,
    private readonly batch: BarBatchBuilder,
    private readonly ignored: IgnoredFields,
  ) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#shape = shape;
    this.#linesEndRows = linesEndRows;
    this.resume();
  }

  /** To be called when the bar's scanner may have turned to another text. */
  resume(): void {
    this.bar.begin(this.#bytes, BACKSLASH, this.batch);
    // This text has not told the names of the fields that the rows of another are known to have.
    if (this.#shape.hasUnknown) this.#shape.clear();
  }

  /**
   * Reads the row that starts at `start`, blanks before it allowed, and skips those behind it. Returns the offset of the
   * first byte behind both, -1 when the row is not surely a good one or is written in an unusual way.
   */
  read(start: number): number {
    const end = this.#shape.known ? this.#readAlike(start) : -1;
    return end >= 0 ? end : this.#readMembers(start);
  }

  /** The same for a row that is written as the one before. */
  #readAlike(start: number): number {
    const bytes = this.#bytes;
    const { fields } = this.#shape;
    let at = start;
    for (let member = 0; member < fields.length; member++) {
      const field = fields[member] ?? 0;
      const value = this.#shape.valueOf(member, this.#view, bytes.length, at);
      if (value < 0) return -1;
      at = this.bar.read(field, value, bytes[value - 1] === QUOTE);
      if (at < 0) return -1;
    }
    return bytes[at] === CLOSE_OBJECT ? this.#skipBlanks(at + 1) : -1;
  }

  #readMembers(start: number): number {
    const bytes = this.#bytes;
    this.#shape.clear();
    this.#unknownEnd = 0;
    const open = this.#skipBlanks(start);
    if (bytes[open] !== OPEN_OBJECT) return -1;
    let at = open;
    let behindValue = start;
    let found = 0;
    do {
      at = this.#skipBlanks(at + 1);
      if (bytes[at] !== QUOTE) return -1;
      const field = this.#fieldAt(at + 1);
      if (field === UNDECIDED) return -1;
      if (field === UNKNOWN) {
        at = this.#skipMember(at);
      } else {
        // Of two members with one key the last counts, as with JSON.parse: its value replaces the other.
        found |= 1 << field;
        at = this.#skipBlanks(at + (KEY_BYTES[field] ?? 0));
        if (bytes[at] !== COLON) return -1;
        at = this.#skipBlanks(at + 1);
        const isText = bytes[at] === QUOTE;
        if (field < TS && !isText) return -1;
        if (field > TS && isText) return -1;
        if (isText) at++;
        this.#shape.add(field, this.#view, behindValue, at);
        at = this.bar.read(field, at, isText);
        behindValue = at;
        if (isText && at >= 0 && bytes[at++] !== QUOTE) return -1;
      }
      if (at < 0) return -1;
      at = this.#skipBlanks(at);
    } while (bytes[at] === COMMA);
    if (bytes[at] !== CLOSE_OBJECT || found !== ALL_FIELDS) return -1;
    this.#shape.known = this.#shape.complete && at === behindValue;
    this.#shape.hasUnknown = this.#unknownEnd > 0;
    return this.#skipBlanks(at + 1);
  }

  /** Adds the row read last to the batch; false when it is not a good one. */
  append(): boolean {
    if (!this.bar.append()) return false;
    for (let at = 0; at < this.#unknownEnd; at += 2)
      this.ignored.addFrom(this.#bytes, this.#unknown[at] ?? 0, this.#unknown[at + 1] ?? 0);
    this.#unknownEnd = 0;
    return true;
  }

  #skipBlanks(start: number): number {
    let at = start;
    while (this.#isBlank(this.#bytes[at] ?? NO_BYTE)) at++;
    return at;
  }

  #isBlank(byte: number): boolean {
    if (byte > SPACE) return false;
    return byte === SPACE || byte === TAB || byte === RETURN || (byte === LINE_FEED && !this.#linesEndRows);
  }

  /** The field whose key starts at `at`, by its bytes up to the closing quote. */
  #fieldAt(at: number): number {
    const bytes = this.#bytes;
    if (at + LONGEST_KEY_BYTES > bytes.length) return UNDECIDED;
    const view = this.#view;
    switch (view.getInt32(at)) {
      case 0x70726f76: // prov
        return view.getInt32(at + 4) === 0x69646572 && bytes[at + 8] === QUOTE ? PROVIDER : UNKNOWN;
      case 0x73796d62: // symb
        return view.getInt16(at + 4) === 0x6f6c && bytes[at + 6] === QUOTE ? SYMBOL : UNKNOWN;
      case 0x696e7465: // inte
        return view.getInt32(at + 4) === 0x7276616c && bytes[at + 8] === QUOTE ? INTERVAL : UNKNOWN;
      case 0x6f70656e: // open
        return bytes[at + 4] === QUOTE ? OPEN : UNKNOWN;
      case 0x68696768: // high
        return bytes[at + 4] === QUOTE ? HIGH : UNKNOWN;
      case 0x6c6f7722: // low"
        return LOW;
      case 0x636c6f73: // clos
        return view.getInt16(at + 4) === 0x6522 ? CLOSE : UNKNOWN;
      case 0x766f6c75: // volu
        return view.getInt16(at + 4) === 0x6d65 && bytes[at + 6] === QUOTE ? VOLUME : UNKNOWN;
      default:
        return view.getInt16(at) === 0x7473 && bytes[at + 2] === QUOTE ? TS : UNKNOWN;
    }
  }

  /** Skips a member whose key is not a field's: -1 when the key has escapes, or the value has or is not flat. */
  #skipMember(start: number): number {
    let at = this.#skipString(start);
    if (at < 0 || !this.#noteUnknown(start + 1, at - 1)) return -1;
    at = this.#skipBlanks(at);
    if (this.#bytes[at] !== COLON) return -1;
    at = this.#skipBlanks(at + 1);
    if (this.#bytes[at] === QUOTE) return this.#skipString(at);
    for (const literal of LITERALS) {
      const end = at + literal.length;
      if (this.#bytes[at] === literal[0]) return this.#bytes.subarray(at, end).equals(literal) ? end : -1;
    }
    return this.bar.skipNumber(at);
  }

  /** False when there are too many, or JSON.parse would give them in another order. */
  #noteUnknown(start: number, end: number): boolean {
    const first = this.#bytes[start] ?? NO_BYTE;
    if (first >= ZERO && first <= NINE) return false;
    if (this.#unknownEnd === this.#unknown.length || end - start > LONGEST_UNKNOWN_BYTES) return false;
    this.#unknown[this.#unknownEnd++] = start;
    this.#unknown[this.#unknownEnd++] = end;
    return true;
  }

  #skipString(open: number): number {
    let at = open + 1;
    let byte = this.#bytes[at] ?? NO_BYTE;
    while (byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH) byte = this.#bytes[++at] ?? NO_BYTE;
    return byte === QUOTE ? at + 1 : -1;
  }
}
