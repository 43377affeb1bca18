import type { BarBatchBuilder } from '../../bar.batch-builder.js';
import { parseInterval } from '../../interval.js';
import { isProvider, isSymbol } from '../../series.key.js';
import { NO_BYTE, QUOTE, SPACE } from '../byte.codes.js';

/** The parts of a series key, in the order of a row's fields. */
const PARTS = 3;
const LAST_PRINTABLE = 0x7e;
const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** An entry: its hash, where each part starts and ends in the text, and the index of its series in the batch. */
const ENTRY_SIZE = 8;
const SERIES = 7;
const FIRST_ENTRIES = 16;

/**
 * Entries looked at before a key is looked up as strings: who makes keys with equal hashes on purpose must not make
 * a body take quadratic time.
 */
const MAX_PROBES = 32;

/** Finds the series of a row by the bytes of its key: a string is made only of a spelling that is new in the text. */
export class SeriesScanner {
  readonly #bytes: Buffer;
  readonly #batch: BarBatchBuilder;
  readonly #delimiter: number;
  readonly #starts = [0, 0, 0];
  readonly #ends = [0, 0, 0];
  readonly #hashes = [0, 0, 0];
  /** Open addressing: a slot holds the offset of an entry, or -1. */
  #slots = new Int32Array(2 * FIRST_ENTRIES).fill(-1);
  #entries = new Int32Array(FIRST_ENTRIES * ENTRY_SIZE);
  #entriesEnd = 0;
  #last = -1;

  /** `delimiter` is a byte that, beside the quote, cannot be in a part that is written plainly. */
  constructor(bytes: Buffer, delimiter: number, batch: BarBatchBuilder) {
    this.#bytes = bytes;
    this.#delimiter = delimiter;
    this.#batch = batch;
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
    this.#ends[part] = at;
    this.#hashes[part] = hash;
    return at;
  }

  /** Index in the batch of the series whose parts were read last; -1 when they are no key. */
  index(): number {
    const [provider = 0, symbol = 0, interval = 0] = this.#hashes;
    const hash = Math.imul(Math.imul(provider, 31) ^ interval, FNV_PRIME) ^ symbol;
    if (this.#last >= 0 && this.#isEntry(this.#last, hash)) return this.#entries[this.#last + SERIES] ?? -1;
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const entry = this.#slots[slot] ?? -1;
      if (entry < 0) return this.#add(slot, hash);
      if (this.#isEntry(entry, hash)) {
        this.#last = entry;
        return this.#entries[entry + SERIES] ?? -1;
      }
      slot = (slot + 1) & mask;
    }
    return this.#resolve();
  }

  /** Equal hashes only make it worth while to compare the bytes. */
  #isEntry(entry: number, hash: number): boolean {
    return (
      this.#entries[entry] === hash &&
      this.#hasPart(entry, 1) &&
      this.#hasPart(entry, 0) &&
      this.#hasPart(entry, 2)
    );
  }

  /** Whether a part of the entry has the bytes that were read last. */
  #hasPart(entry: number, part: number): boolean {
    const bytes = this.#bytes;
    let known = this.#entries[entry + 1 + 2 * part] ?? 0;
    const knownEnd = this.#entries[entry + 2 + 2 * part] ?? 0;
    let at = this.#starts[part] ?? 0;
    if ((this.#ends[part] ?? 0) - at !== knownEnd - known) return false;
    while (known < knownEnd) if (bytes[at++] !== bytes[known++]) return false;
    return true;
  }

  #add(slot: number, hash: number): number {
    const series = this.#resolve();
    if (series < 0) return -1;
    const entry = this.#entriesEnd;
    this.#entriesEnd += ENTRY_SIZE;
    this.#entries.set([hash, 0, 0, 0, 0, 0, 0, series], entry);
    for (let part = 0; part < PARTS; part++) {
      this.#entries[entry + 1 + 2 * part] = this.#starts[part] ?? 0;
      this.#entries[entry + 2 + 2 * part] = this.#ends[part] ?? 0;
    }
    this.#slots[slot] = entry;
    this.#last = entry;
    if (this.#entriesEnd === this.#entries.length) this.#grow();
    return series;
  }

  #grow(): void {
    const entries = new Int32Array(2 * this.#entries.length);
    entries.set(this.#entries);
    this.#entries = entries;
    this.#slots = new Int32Array(2 * this.#slots.length).fill(-1);
    const mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.#entriesEnd; entry += ENTRY_SIZE) {
      const hash = entries[entry] ?? 0;
      let slot = (hash ^ (hash >>> 15)) & mask;
      while ((this.#slots[slot] ?? -1) >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = entry;
    }
  }

  #resolve(): number {
    // Most series of a text have the provider and the interval of the one that was new before.
    const before = this.#entriesEnd - ENTRY_SIZE;
    const key = before < 0 ? undefined : this.#batch.keyOf(this.#entries[before + SERIES] ?? -1);
    const provider = key !== undefined && this.#hasPart(before, 0) ? key.provider : this.#text(0);
    const interval =
      key !== undefined && this.#hasPart(before, 2) ? key.interval : parseInterval(this.#text(2));
    const symbol = this.#text(1);
    if (!isProvider(provider) || !isSymbol(symbol) || interval === undefined) return -1;
    return this.#batch.seriesIndex(provider, symbol.toUpperCase(), interval);
  }

  #text(part: number): string {
    return this.#bytes.toString('latin1', this.#starts[part], this.#ends[part]);
  }
}
