import { ProblemError } from './problem.error.js';

/** Nothing that is sent is taken until the disk has room, or works. */
const PACED: ReadonlySet<string> = new Set(['spool-full', 'spool-unavailable']);

/** Refusals that go out at once as long as no more of them are due, a second. */
const PER_SECOND = 100;
const SPACING_MS = 1_000 / PER_SECOND;
/** What a refusal waits at most. */
const LONGEST_MS = 2_000;

/**
 * Spreads out refusals that only time can end. Who ignores Retry-After sends the next body as soon as one is
 * refused, and a body must be taken off the wire even so: that takes the processor from the writing that everybody waits
 * for. While a refusal waits, its connection sends nothing more.
 */
export class RefusalPace {
  private nextAt = -Infinity;

  /** Milliseconds that the answer to this error should wait. */
  delayOf(error: unknown): number {
    return error instanceof ProblemError && PACED.has(error.code) ? this.delayMs() : 0;
  }

  /** Milliseconds that the refusal which is due now should wait. */
  delayMs(now = performance.now()): number {
    const at = Math.max(now, this.nextAt);
    this.nextAt = Math.min(at + SPACING_MS, now + LONGEST_MS);
    return at - now;
  }
}
