import { ROW_FIELDS } from '../row.fields.js';

const FIELDS = ROW_FIELDS.length;
const WORD_BYTES = 4;

/**
 * What stands between the values of a JSON row: the fields in their order, and the bytes before each value. Rows of one
 * producer are written alike, so that these bytes are compared, four at a time, and not understood anew.
 */
export class RowShape {
  /** By member. */
  readonly fields = new Int8Array(FIELDS);
  readonly #lengths = new Int32Array(FIELDS);
  /** The bytes before each value as words, the last of which ends where the value begins. */
  #words = new Int32Array(FIELDS * WORD_BYTES);
  readonly #firstWords = new Int32Array(FIELDS + 1);
  #members = 0;

  /** Whether the row read last had it, and was a good one. */
  known = false;

  /** Whether there are fields between that no bar has. */
  hasUnknown = false;

  /** Whether there is a member for each field, if none is there twice. */
  get complete(): boolean {
    return this.#members === FIELDS;
  }

  /** Forgets all; the members of another row are added next, in their order. */
  clear(): void {
    this.#members = 0;
    this.known = false;
    this.hasUnknown = false;
  }

  /** Adds a member: its field, and where the bytes before its value start and end; a key and a colon are at least a word. */
  add(field: number, view: DataView, start: number, end: number): void {
    const member = this.#members++;
    if (member >= FIELDS) return;
    let word = this.#firstWords[member] ?? 0;
    const needed = word + Math.ceil((end - start) / WORD_BYTES);
    if (needed > this.#words.length) {
      const words = new Int32Array(2 * needed);
      words.set(this.#words);
      this.#words = words;
    }
    for (let at = start; at < end - WORD_BYTES; at += WORD_BYTES) this.#words[word++] = view.getInt32(at);
    this.#words[word++] = view.getInt32(end - WORD_BYTES);
    this.fields[member] = field;
    this.#lengths[member] = end - start;
    this.#firstWords[member + 1] = word;
  }

  /**
   * Where the value of the member begins when the bytes before it start at `start`; -1 when they are others. `length` is
   * that of the view, of which V8 makes a call.
   */
  valueOf(member: number, view: DataView, length: number, start: number): number {
    const end = start + (this.#lengths[member] ?? 0);
    if (end > length) return -1;
    let word = this.#firstWords[member] ?? 0;
    for (let at = start; at < end - WORD_BYTES; at += WORD_BYTES)
      if (view.getInt32(at) !== this.#words[word++]) return -1;
    return view.getInt32(end - WORD_BYTES) === this.#words[word] ? end : -1;
  }
}
