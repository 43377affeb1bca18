import { ROW_FIELDS } from './row.fields.js';
import { escapeText } from './value.text.js';

/** Names that an answer carries at most. */
const MAX_NAMES = 20;
/** Spellings that are remembered: names that differ only where they are cut short may be of any number. */
const MOST_SPELLINGS = 64;

const KNOWN: ReadonlySet<string> = new Set(ROW_FIELDS);

/** The names of fields, or columns, of a body that no bar has: nothing is stored of them, and the sender is told. */
export class IgnoredFields {
  readonly #names = new Set<string>();
  /** Those that were found in a text, as they lie there. */
  readonly #spellings: Buffer[] = [];
  #last = -1;
  #truncated = false;

  /** The first 20, fit for an answer. */
  get names(): readonly string[] {
    return [...this.#names];
  }

  /** Whether there were more. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** Adds those of the names that no bar has. */
  addUnknown(names: readonly string[]): void {
    if (this.#truncated) return;
    for (const name of names) if (!KNOWN.has(name)) this.#add(name);
  }

  /** Adds the name that lies in a text, without any escape. It is one that no bar has. */
  addFrom(bytes: Buffer, start: number, end: number): void {
    if (this.#truncated) return;
    const spellings = this.#spellings;
    // Rows are written alike: the name is mostly the one that came after the last before.
    for (let left = spellings.length; left > 0; left--) {
      this.#last = (this.#last + 1) % spellings.length;
      if (isAt(bytes, start, end, spellings[this.#last])) return;
    }
    if (spellings.length < MOST_SPELLINGS)
      this.#last = spellings.push(Buffer.from(bytes.subarray(start, end))) - 1;
    this.#add(bytes.toString('utf8', start, end));
  }

  #add(name: string): void {
    if (this.#names.has(name)) return;
    const shown = escapeText(name);
    if (this.#names.has(shown)) return;
    if (this.#names.size === MAX_NAMES) this.#truncated = true;
    else this.#names.add(shown);
  }
}

function isAt(bytes: Buffer, start: number, end: number, name: Buffer | undefined): boolean {
  if (name?.length !== end - start) return false;
  for (let at = 0; at < name.length; at++) if (bytes[start + at] !== name[at]) return false;
  return true;
}
