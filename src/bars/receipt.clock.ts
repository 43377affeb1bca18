import { monotonicMicros, type ServerTime } from '../database/database.clock.js';

const MICROS_PER_MS = 1_000;
const MICROS_PER_SECOND = 1_000_000;
/** How fast the clock runs while it is ahead of PostgreSQL's. It must go on: equal times would have no order. */
const SLOW_SPEED = 0.1;

/** What a ReceiptClock works with. */
export interface ReceiptClockOptions {
  /** The newest time of receipt ever given out, also before a restart: Unix epoch, microseconds; 0 for none. */
  readonly newest?: () => number;
  /** The machine's clock: Unix epoch, microseconds. For tests. */
  readonly machine?: () => number;
  /** A timer that no step of the machine's clock moves, microseconds. For tests. */
  readonly monotonic?: () => number;
}

/** The clocks at one moment, compared with PostgreSQL's. */
export interface ClockComparison {
  /** Seconds by which the machine's clock is ahead of PostgreSQL's; negative when it is behind. */
  readonly machineAheadSeconds: number;
  /** Seconds by which times of receipt are ahead of PostgreSQL's clock; 0 when they are the same. */
  readonly receiptAheadSeconds: number;
  /** Seconds since PostgreSQL's clock was read. */
  readonly ageSeconds: number;
}

/**
 * Gives each batch its time of receipt: Unix epoch microseconds, strictly ascending in the process and later than all
 * that were given out before a restart.
 *
 * The time is PostgreSQL's, carried on by a monotonic timer, so that replicas agree and no machine's clock matters. Only
 * until PostgreSQL's clock was first read it is the machine's clock as it was at the start. A clock that is behind
 * PostgreSQL's is set right at once. One that has given out later times runs slowly until PostgreSQL's has caught up.
 */
export class ReceiptClock {
  private readonly newest: () => number;
  private readonly machine: () => number;
  private readonly monotonic: () => number;
  /** PostgreSQL's time less the timer's. */
  private offset: number;
  /** How far the clock was ahead of PostgreSQL's when the timer was at `aheadSince`. */
  private ahead = 0;
  private aheadSince = 0;
  /** What the timer showed when PostgreSQL's clock was last read. */
  private readAt: number | undefined;
  private last = 0;

  constructor(options: ReceiptClockOptions = {}) {
    this.newest = options.newest ?? (() => 0);
    this.machine = options.machine ?? (() => Date.now() * MICROS_PER_MS);
    this.monotonic = options.monotonic ?? monotonicMicros;
    this.offset = this.machine() - this.monotonic();
  }

  /** The time of receipt of a batch that is received now. */
  next(): number {
    const at = this.monotonic();
    // A record that could not be read at the start may turn out to be from a later time.
    const newest = this.newest();
    if (newest > this.timeAt(at)) this.holdAhead(newest, at);
    this.last = Math.max(this.last + 1, newest + 1, Math.floor(this.timeAt(at)));
    return this.last;
  }

  /**
   * Follows PostgreSQL's clock from now on. Only times that were given out hold it ahead of that one.
   * @returns by how many microseconds the clock was set forward; negative when it was set back
   */
  follow({ time, at }: ServerTime): number {
    const now = this.monotonic();
    const before = this.timeAt(now);
    this.offset = time - at;
    this.readAt = at;
    this.holdAhead(Math.max(this.last, this.newest()), now);
    return this.timeAt(now) - before;
  }

  /** Undefined until PostgreSQL's clock was first read. */
  compare(): ClockComparison | undefined {
    if (this.readAt === undefined) return undefined;
    const at = this.monotonic();
    return {
      machineAheadSeconds: (this.machine() - (at + this.offset)) / MICROS_PER_SECOND,
      receiptAheadSeconds: this.aheadAt(at) / MICROS_PER_SECOND,
      ageSeconds: (at - this.readAt) / MICROS_PER_SECOND,
    };
  }

  private timeAt(at: number): number {
    return at + this.offset + this.aheadAt(at);
  }

  private aheadAt(at: number): number {
    return Math.max(0, this.ahead - (at - this.aheadSince) * (1 - SLOW_SPEED));
  }

  /** Lets the clock show `time` now, unless PostgreSQL's is later. */
  private holdAhead(time: number, at: number): void {
    this.ahead = Math.max(0, time - (at + this.offset));
    this.aheadSince = at;
  }
}
