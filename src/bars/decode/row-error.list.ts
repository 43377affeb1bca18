import { MalformedBodyError } from './malformed-body.error.js';
import type { RowErrorCode } from './row-error.codes.js';
import type { RowError } from './row.error.js';
import { limitText, MAX_BAD_ROWS } from './row.limits.js';

/** Errors that an answer carries at most. */
const MAX_ROW_ERRORS = 100;

/** The errors of a body's rows: the first 100 are kept, those after them only counted. */
export class RowErrorList {
  #count = 0;
  readonly #kept: RowError[] = [];
  readonly #byCode = new Map<RowErrorCode, number>();
  readonly #goodRowsCount: boolean;

  /** With `goodRowsCount` false a body with an error is refused as a whole, however many there are. */
  constructor(goodRowsCount: boolean) {
    this.#goodRowsCount = goodRowsCount;
  }

  /** Rows refused. */
  get count(): number {
    return this.#count;
  }

  /** The first errors, at most 100. */
  get kept(): readonly RowError[] {
    return this.#kept;
  }

  /** Rows refused, by why. */
  get byCode(): ReadonlyMap<RowErrorCode, number> {
    return this.#byCode;
  }

  /** Whether there were more errors than are kept. */
  get truncated(): boolean {
    return this.#count > this.#kept.length;
  }

  /**
   * Whether the rest of the body cannot change the answer. Decoding ends then: 64 MiB of lines that are not JSON
   * would hold up the process for minutes.
   */
  get enough(): boolean {
    return this.truncated && !this.#goodRowsCount;
  }

  /**
   * Refuses a row (from 1) as a whole (empty field) or for one of its fields.
   * @throws MalformedBodyError when too many are refused
   */
  add(line: number, field: string, code: RowErrorCode, detail: string): void {
    this.#count++;
    this.#byCode.set(code, (this.#byCode.get(code) ?? 0) + 1);
    if (this.#count > MAX_BAD_ROWS) {
      throw new MalformedBodyError(
        `More than ${limitText(MAX_BAD_ROWS)} rows are bad; the last, row ${line}: ${detail}.`,
      );
    }
    if (this.#kept.length === MAX_ROW_ERRORS) return;
    this.#kept.push({ line, pointer: field === '' ? '' : `/${field}`, code, detail });
  }
}
