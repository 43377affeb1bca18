import type { AcquireOptions, AcquireResult } from './acquire.result.js';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** An acquire that waits. */
export interface Waiting {
  readonly rows: number;
  /** Takes it out of the line and ends its wait: with the result, or without one by asking again as a newcomer. */
  readonly end: (result?: AcquireResult) => void;
}

/** Acquires in the order in which they came. A grant and an abort settle each at most once, whichever is first. */
export class AcquireLine {
  private readonly line = new Set<Waiting>();
  private waitingRows = 0;

  /** `serve` grants what can be granted: called when one has come, gone, or run out of time. */
  constructor(private readonly serve: () => void) {}

  /** Acquires that wait. */
  get length(): number {
    return this.line.size;
  }

  /** Rows that they want. */
  get rows(): number {
    return this.waitingRows;
  }

  /** The oldest first; those that end meanwhile are left out. */
  [Symbol.iterator](): IterableIterator<Waiting> {
    return this.line.values();
  }

  /**
   * Waits at the end of the line until it is ended. When its time is up and it is still not its turn, it is taken
   * out and ends with what `tryAgain` says; when it is aborted, it is taken out and rejects with the signal's reason.
   */
  wait(
    rows: number,
    { signal, maxWaitMs = 0 }: AcquireOptions,
    tryAgain: () => AcquireResult,
  ): Promise<AcquireResult> {
    return new Promise((resolve, reject) => {
      // A signal's reason need not be an Error, and is passed on as it is.
      const fail: (reason: unknown) => void = reject;
      const leave = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.line.delete(waiting);
        this.waitingRows -= rows;
      };
      const abort = () => {
        leave();
        fail(signal?.reason);
        this.serve();
      };
      const timeOut = () => {
        // It may be its turn this very millisecond; taken out first, those behind it would overtake it.
        this.serve();
        if (this.line.has(waiting)) waiting.end();
      };
      const waiting: Waiting = {
        rows,
        end: (result?: AcquireResult) => {
          leave();
          resolve(result ?? tryAgain());
        },
      };
      const timer = setTimeout(timeOut, Math.min(maxWaitMs, LONGEST_TIMER_MS));
      signal?.addEventListener('abort', abort);
      this.line.add(waiting);
      this.waitingRows += rows;
      this.serve();
    });
  }
}
