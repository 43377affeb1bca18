/** Settings of a RetryPolicy. */
export interface RetryPolicyOptions {
  /**
   * Tries, the first included, of a batch that lost a race (a deadlock, a serialization failure), before that counts as a
   * failure of the store; default 5. Tries never run out.
   */
  readonly maxAttempts?: number | undefined;
  /** Upper bound of the first wait in milliseconds; default 50. */
  readonly initialBackoffMs?: number | undefined;
  /** Upper bound of any wait in milliseconds; default 2000. */
  readonly maxBackoffMs?: number | undefined;
  /** Growth of the bound from one wait to the next, at least 1; default 2. */
  readonly multiplier?: number | undefined;
  /** True: a wait is drawn evenly from 0 to its bound. False: it is the bound. Default true. */
  readonly jitter?: boolean | undefined;
  /** Draws from [0, 1); default Math.random. */
  readonly random?: (() => number) | undefined;
}

/**
 * Exponential backoff with full jitter: wait = random(0, min(maxBackoff, initialBackoff * multiplier^(n-1))) after
 * the n-th failure. Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export class RetryPolicy {
  /** Tries, the first included, of a batch that lost a race. */
  readonly maxAttempts: number;
  private readonly initialBackoffMs: number;
  private readonly maxBackoffMs: number;
  private readonly multiplier: number;
  private readonly jitter: boolean;
  private readonly random: () => number;

  /** Throws a RangeError on settings that make no sense. */
  constructor(private readonly options: RetryPolicyOptions = {}) {
    this.maxAttempts = options.maxAttempts ?? 5;
    this.initialBackoffMs = options.initialBackoffMs ?? 50;
    this.maxBackoffMs = options.maxBackoffMs ?? 2000;
    this.multiplier = options.multiplier ?? 2;
    this.jitter = options.jitter ?? true;
    this.random = options.random ?? Math.random;
    if (!(this.maxAttempts >= 1))
      throw new RangeError(`maxAttempts must be at least 1, not ${this.maxAttempts}`);
    if (!(this.multiplier >= 1))
      throw new RangeError(`multiplier must be at least 1, not ${this.multiplier}`);
    if (!(this.initialBackoffMs >= 0 && this.maxBackoffMs >= this.initialBackoffMs)) {
      throw new RangeError(
        `backoff must be 0 <= initial <= max, not ${this.initialBackoffMs} and ${this.maxBackoffMs} ms`,
      );
    }
  }

  /** The same with a bound of any wait that is `factor` times as long. */
  withLongerWaits(factor: number): RetryPolicy {
    return new RetryPolicy({ ...this.options, maxBackoffMs: factor * this.maxBackoffMs });
  }

  /** Milliseconds to wait after the `failures`-th failure in a row, counted from 1. */
  delayMs(failures: number): number {
    const bound = Math.min(this.maxBackoffMs, this.initialBackoffMs * this.multiplier ** (failures - 1));
    return this.jitter ? this.random() * bound : bound;
  }
}
