import type { BarBatchBuilder } from '../../bar.batch-builder.js';
import { parseInterval } from '../../interval.js';
import { isProvider, isSymbol, seriesName } from '../../series.key.js';
import { UPPER_CASE } from '../../symbol.case.js';
import { NO_BYTE, NO_BYTES, QUOTE, SPACE } from '../byte.codes.js';

const LAST_PRINTABLE = 0x7e;
const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** An entry: its hash, where its spelling starts, the lengths of its parts, the text that used it last, its index in that batch. */
const ENTRY_SIZE = 5;
const START = 1;
const LENGTHS = 2;
const TEXT = 3;
const INDEX = 4;

const FIRST_ENTRIES = 1_024;
/** Beyond so many spellings, about 150 MB, all are forgotten when the next text begins. */
const MOST_ENTRIES = 1_500_000;
const MOST_BYTES_OF_KEY = 256;

/**
 * Entries looked at before a key is looked up as strings: who makes keys with equal hashes on purpose must not make
 * a body take quadratic time.
 */
const MAX_PROBES = 32;

/**
 * Finds the series of a row by the bytes of its key. What it learns it keeps for the texts that follow: a string is made
 * only of a spelling that none of them had.
 */
export class SeriesScanner {
  #bytes: Buffer = NO_BYTES;
  #delimiter = QUOTE;
  #batch: BarBatchBuilder | undefined;
  #text = 0;
  readonly #starts = [0, 0, 0];
  readonly #lengths = [0, 0, 0];
  readonly #hashes = [0, 0, 0];
  /** Open addressing: a slot holds the number of an entry, or -1. */
  #slots = emptySlots(FIRST_ENTRIES);
  #entries = new Int32Array(FIRST_ENTRIES * ENTRY_SIZE);
  /** By entry. */
  #names: SpelledName[] = [];
  /** How symbols are stored: of another rule the names would be others. */
  #symbolCase = UPPER_CASE;
  /** Bytes of the spellings, one after the other. */
  #spellings = Buffer.allocUnsafeSlow(FIRST_ENTRIES * 16);
  #spellingsEnd = 0;
  #last = -1;

  /** Turns to another text. `delimiter` is a byte that, beside the quote, cannot be in a part that is written plainly. */
  begin(bytes: Buffer, delimiter: number, batch: BarBatchBuilder | undefined): void {
    this.#bytes = bytes;
    this.#delimiter = delimiter;
    this.#batch = batch;
    this.#text = (this.#text + 1) | 0;
    const { symbolCase } = batch ?? { symbolCase: this.#symbolCase };
    if (this.#names.length > MOST_ENTRIES || symbolCase !== this.#symbolCase) this.#forget();
    this.#symbolCase = symbolCase;
  }

  /** Reads a part of the key (0 to 2, in the order of ROW_FIELDS); returns the offset of the first byte behind it. */
  read(part: number, start: number): number {
    const bytes = this.#bytes;
    const delimiter = this.#delimiter;
    let hash = FNV_OFFSET;
    let at = start;
    let byte = bytes[at] ?? NO_BYTE;
    while (byte > SPACE && byte <= LAST_PRINTABLE && byte !== QUOTE && byte !== delimiter) {
      hash = Math.imul(hash ^ byte, FNV_PRIME);
      byte = bytes[++at] ?? NO_BYTE;
    }
    this.#starts[part] = start;
    this.#lengths[part] = at - start;
    this.#hashes[part] = hash;
    return at;
  }

  /**
   * Index in the batch of the series whose parts were read last; -1 when they are no key, or when the text has the symbol
   * in another spelling before.
   */
  index(): number {
    const [provider = 0, symbol = 0, interval = 0] = this.#hashes;
    const hash = Math.imul(Math.imul(provider, 31) ^ interval, FNV_PRIME) ^ symbol;
    if (this.#last >= 0 && this.#isEntry(this.#last, hash)) return this.#indexOf(this.#last);
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const entry = this.#slots[slot] ?? -1;
      if (entry < 0) return this.#add(slot, hash);
      if (this.#isEntry(entry, hash)) {
        this.#last = entry;
        return this.#indexOf(entry);
      }
      slot = (slot + 1) & mask;
    }
    const name = this.#name();
    return name === undefined ? -1 : this.#indexInBatch(name);
  }

  /** Equal hashes only make it worth while to compare the bytes. */
  #isEntry(entry: number, hash: number): boolean {
    const at = entry * ENTRY_SIZE;
    if (this.#entries[at] !== hash || this.#entries[at + LENGTHS] !== this.#packedLengths()) return false;
    const bytes = this.#bytes;
    const spellings = this.#spellings;
    let known = this.#entries[at + START] ?? 0;
    for (let part = 0; part < 3; part++) {
      let from = this.#starts[part] ?? 0;
      for (const end = from + (this.#lengths[part] ?? 0); from < end; from++, known++)
        if (bytes[from] !== spellings[known]) return false;
    }
    return true;
  }

  /** One number for the three lengths; -1 when one does not fit, which is then none of a key's. */
  #packedLengths(): number {
    const [provider = 0, symbol = 0, interval = 0] = this.#lengths;
    return (provider | symbol | interval) > 0xff ? -1 : provider | (symbol << 8) | (interval << 16);
  }

  #indexOf(entry: number): number {
    const at = entry * ENTRY_SIZE;
    if (this.#entries[at + TEXT] !== this.#text) {
      this.#entries[at + TEXT] = this.#text;
      const name = this.#names[entry];
      this.#entries[at + INDEX] = name === undefined ? -1 : this.#indexInBatch(name);
    }
    return this.#entries[at + INDEX] ?? -1;
  }

  #indexInBatch(name: SpelledName): number {
    const batch = this.#batch;
    if (batch === undefined) return -1;
    return typeof name === 'string' ? batch.seriesIndex(name) : batch.seriesIndex(name.stored, name.written);
  }

  #add(slot: number, hash: number): number {
    const name = this.#name();
    if (name === undefined) return -1;
    const entry = this.#names.push(name) - 1;
    this.#entries.set(
      [hash, this.#spellingsEnd, this.#packedLengths(), this.#text - 1, -1],
      entry * ENTRY_SIZE,
    );
    for (let part = 0; part < 3; part++) {
      const start = this.#starts[part] ?? 0;
      const end = start + (this.#lengths[part] ?? 0);
      this.#spellingsEnd += this.#bytes.copy(this.#spellings, this.#spellingsEnd, start, end);
    }
    this.#slots[slot] = entry;
    this.#last = entry;
    if (this.#entries.length === this.#names.length * ENTRY_SIZE) this.#grow();
    if (this.#spellings.length - this.#spellingsEnd < MOST_BYTES_OF_KEY)
      this.#spellings = Buffer.concat([this.#spellings], 2 * this.#spellings.length);
    return this.#indexOf(entry);
  }

  #grow(): void {
    const count = this.#names.length;
    const entries = new Int32Array(2 * this.#entries.length);
    entries.set(this.#entries);
    this.#entries = entries;
    this.#slots = emptySlots(2 * count);
    const mask = this.#slots.length - 1;
    for (let entry = 0; entry < count; entry++) {
      const hash = entries[entry * ENTRY_SIZE] ?? 0;
      let slot = (hash ^ (hash >>> 15)) & mask;
      while ((this.#slots[slot] ?? -1) >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = entry;
    }
  }

  #forget(): void {
    this.#slots = emptySlots(FIRST_ENTRIES);
    this.#entries = new Int32Array(FIRST_ENTRIES * ENTRY_SIZE);
    this.#names = [];
    this.#spellings = Buffer.allocUnsafeSlow(FIRST_ENTRIES * 16);
    this.#spellingsEnd = 0;
    this.#last = -1;
  }

  /** The name of the series whose parts were read last; undefined when they are no key. */
  #name(): SpelledName | undefined {
    const provider = this.#part(0);
    const symbol = this.#part(1);
    const interval = parseInterval(this.#part(2));
    if (!isProvider(provider) || !isSymbol(symbol) || interval === undefined) return undefined;
    const storedSymbol = this.#symbolCase.stored(provider, symbol);
    const stored = seriesName(provider, storedSymbol, interval);
    return storedSymbol === symbol ? stored : { stored, written: seriesName(provider, symbol, interval) };
  }

  #part(part: number): string {
    const start = this.#starts[part] ?? 0;
    return this.#bytes.toString('latin1', start, start + (this.#lengths[part] ?? 0));
  }
}

/** The name of a series (see seriesName); where it is not stored as it is written, both. */
type SpelledName = string | { readonly stored: string; readonly written: string };

function emptySlots(entries: number): Int32Array {
  return new Int32Array(2 * entries).fill(-1);
}
