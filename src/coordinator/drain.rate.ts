const SECOND = 1000;

/** Seconds over which the past fades: what is this old counts for 1/e. */
const FADE_SECONDS = 5;

/**
 * Rows per second lately finished: an exponentially weighted average over busy time only. Idle time is left out,
 * because a queue that was empty for an hour does not drain slowly.
 */
export class DrainRate {
  private fadedRows = 0;
  private busySeconds = 0;
  private busySince: number | undefined;

  /** `now` is a clock that never goes back, in milliseconds. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** There is work from now on. */
  busy(): void {
    this.busySince ??= this.now();
  }

  /** There is no work from now on. */
  idle(): void {
    this.advance();
    this.busySince = undefined;
  }

  /** Rows were finished just now. */
  add(rows: number): void {
    this.advance();
    this.fadedRows += rows;
  }

  /** Seconds to finish so many rows at the present rate; while nothing was ever finished, the time spent in vain. */
  secondsFor(rows: number): number {
    this.advance();
    if (this.fadedRows === 0) return this.busySeconds;
    // Divided by the weight of the time there has been, else the first seconds would look slow.
    const weight = FADE_SECONDS * (1 - Math.exp(-this.busySeconds / FADE_SECONDS));
    return (rows * weight) / this.fadedRows;
  }

  private advance(): void {
    if (this.busySince === undefined) return;
    const now = this.now();
    const seconds = (now - this.busySince) / SECOND;
    this.fadedRows *= Math.exp(-seconds / FADE_SECONDS);
    this.busySeconds += seconds;
    this.busySince = now;
  }
}
