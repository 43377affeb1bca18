import { giveTurns } from '../../concurrency/turns.js';
import { KIB } from '../../config/units.js';

/** Work that is done in slices: between them, others may have their turn. */
export type Slices<Result = void> = Generator<undefined, Result, undefined>;

/** What is decoded without a pause: 5 to 30 ms. */
export const SLICE_BYTES = 512 * KIB;
/** What a row takes beside its bytes: there are rows of two bytes, and series that are new. */
const ROW_BYTES = 32;

/** Tells when a slice of a text is done. */
export class SlicePace {
  #end = SLICE_BYTES;

  /** Whether those before the row (from 1) that starts at the offset `at` were enough. It is asked once a row. */
  isOver(row: number, at: number): boolean {
    const done = at + row * ROW_BYTES;
    if (done < this.#end) return false;
    this.#end = done + SLICE_BYTES;
    return true;
  }
}

/** Does the work in one go. */
export function atOnce<Result>(slices: Slices<Result>): Result {
  let slice = slices.next();
  while (slice.done !== true) slice = slices.next();
  return slice.value;
}

/**
 * Does the work with a pause after each slice, in which others are served.
 * @param gone aborted when nobody waits for the result: the work is given up then, with the signal's reason
 */
export async function inTurns<Result>(slices: Slices<Result>, gone?: AbortSignal): Promise<Result> {
  let slice = slices.next();
  while (slice.done !== true) {
    await giveTurns();
    // Thrown where the work stands, so that it releases what it holds.
    slice = gone?.aborted ? slices.throw(gone.reason) : slices.next();
  }
  return slice.value;
}
