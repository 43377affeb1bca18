import { classifyFailure } from './failure.table.js';
import { GuardedListeners, type Listener } from './guarded.listeners.js';
import { Waiter } from './waiter.js';

/** `closed` lets calls through, `open` refuses them, `half_open` waits for the outcome of one probe. */
export type CircuitState = 'closed' | 'open' | 'half_open';

type State =
  | { readonly name: 'closed'; failures: number }
  | { readonly name: 'open'; readonly until: number; readonly cause: unknown }
  | { readonly name: 'half_open'; readonly cause: unknown };

/** One change of state, with the failure that opened the circuit unless it is closed. */
export interface CircuitChange {
  readonly state: CircuitState;
  readonly previous: CircuitState;
  readonly cause?: unknown;
}

/** Settings of a CircuitBreaker. */
export interface CircuitBreakerOptions {
  /** Failures in a row that open the circuit; default 5. */
  readonly failureThreshold?: number | undefined;
  /** Milliseconds from opening to the first probe; default 10,000. */
  readonly halfOpenAfterMs?: number | undefined;
  /** Which errors count as failures; others prove that the far side answers. Default: `unavailable` and `timeout`. */
  readonly isFailure?: ((error: unknown) => boolean) | undefined;
  /** A clock that never goes back, in milliseconds; default performance.now. */
  readonly now?: (() => number) | undefined;
  /** Gets what a listener throws or rejects with; default: a process warning. */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
}

/** The circuit is open, or its probe is still under way: the call was not made. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError';

  /** `retryAfterMs`: milliseconds after which trying again makes sense. The cause is the failure that opened it. */
  constructor(
    readonly retryAfterMs: number,
    cause: unknown,
  ) {
    super(`the circuit is open, try again in ${Math.ceil(retryAfterMs)} ms`, { cause });
  }
}

/** While a probe is under way nobody knows how long it takes; this is when asking again is worth it. */
const PROBE_MS = 1000;

/** Stops calling what keeps failing, and finds out by exactly one call at a time when it is back. */
export class CircuitBreaker {
  private current: State = { name: 'closed', failures: 0 };
  private readonly changes: GuardedListeners<CircuitChange>;
  private readonly waiters = new Set<Waiter<void>>();
  private readonly failureThreshold: number;
  private readonly halfOpenAfterMs: number;
  /** Whether an error counts as a failure, unless a call says otherwise. */
  readonly isFailure: (error: unknown) => boolean;
  private readonly now: () => number;

  constructor(options: CircuitBreakerOptions = {}) {
    this.failureThreshold = options.failureThreshold ?? 5;
    this.halfOpenAfterMs = options.halfOpenAfterMs ?? 10_000;
    this.isFailure = options.isFailure ?? isFarSideAtFault;
    this.now = options.now ?? (() => performance.now());
    this.changes = new GuardedListeners(options.onListenerError);
  }

  /** Where the circuit stands; `open` lasts until a call comes that may be the probe. */
  get state(): CircuitState {
    return this.current.name;
  }

  /** The failure that opened the circuit; undefined while it is closed. */
  get cause(): unknown {
    return this.current.name === 'closed' ? undefined : this.current.cause;
  }

  /** Milliseconds until a call may be let through; 0 when one would be now. */
  get retryAfterMs(): number {
    switch (this.current.name) {
      case 'closed':
        return 0;
      case 'open':
        return Math.max(0, this.current.until - this.now());
      case 'half_open':
        return Math.min(PROBE_MS, this.halfOpenAfterMs);
    }
  }

  /** True when `execute` would make its call now. */
  allowed(): boolean {
    return this.retryAfterMs === 0 && this.state !== 'half_open';
  }

  /** Throws the CircuitOpenError that `execute` would reject with now, if it would. */
  assertAllowed(): void {
    if (!this.allowed()) throw this.refusal();
  }

  /** Hears each change once, in order, outside the call that caused it. Dispose of the result to unsubscribe. */
  onStateChange(listener: Listener<CircuitChange>): Disposable {
    return this.changes.add(listener);
  }

  /**
   * Resolves when a call may be let through, or rejects with the signal's reason. Several callers may be let go
   * for one probe: those that come second get a CircuitOpenError from `execute` and wait again.
   */
  async whenAllowed(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    while (!this.allowed()) await this.nextChance(signal);
  }

  /**
   * Makes the call and passes on its outcome, or rejects with CircuitOpenError without making it. `isFailure` takes the
   * place of the option of that name for this call.
   */
  async execute<R>(call: () => Promise<R>, isFailure = this.isFailure): Promise<R> {
    const entered = this.enter();
    try {
      const result = await call();
      this.succeeded(entered);
      return result;
    } catch (error) {
      // Counted even if isFailure itself throws: a probe without an outcome would keep the circuit half open for ever.
      let failed = true;
      try {
        failed = isFailure(error);
      } finally {
        if (failed) this.failed(entered, error);
        else this.succeeded(entered);
      }
      throw error;
    }
  }

  private enter(): State {
    this.assertAllowed();
    if (this.current.name === 'open') this.change({ name: 'half_open', cause: this.current.cause });
    return this.current;
  }

  /** An outcome counts only in the state in which its call began: late ones know nothing of the present. */
  private succeeded(entered: State): void {
    if (this.current !== entered) return;
    switch (entered.name) {
      case 'closed':
        entered.failures = 0;
        return;
      case 'half_open':
        this.change({ name: 'closed', failures: 0 });
        return;
      case 'open':
        throw new Error('a call was let through an open circuit');
    }
  }

  private failed(entered: State, cause: unknown): void {
    if (this.current !== entered) return;
    switch (entered.name) {
      case 'closed':
        entered.failures++;
        if (entered.failures >= this.failureThreshold) this.open(cause);
        return;
      case 'half_open':
        this.open(cause);
        return;
      case 'open':
        throw new Error('a call was let through an open circuit');
    }
  }

  private open(cause: unknown): void {
    this.change({ name: 'open', until: this.now() + this.halfOpenAfterMs, cause });
  }

  private change(next: State): void {
    const previous = this.current.name;
    this.current = next;
    this.changes.emit({
      state: next.name,
      previous,
      ...(next.name === 'closed' ? {} : { cause: next.cause }),
    });
    for (const waiter of this.waiters) waiter.resolve();
    this.waiters.clear();
  }

  private refusal(): CircuitOpenError {
    return new CircuitOpenError(this.retryAfterMs, this.cause);
  }

  /** The next change of state or, when the circuit is open, the time of the probe: whichever is first. */
  private async nextChance(signal: AbortSignal | undefined): Promise<void> {
    const waiter = new Waiter<void>(signal, () => this.waiters.delete(waiter));
    this.waiters.add(waiter);
    const timer =
      this.state === 'open' ? setTimeout(() => waiter.resolve(), Math.ceil(this.retryAfterMs)) : undefined;
    try {
      await waiter.promise;
    } finally {
      clearTimeout(timer);
      this.waiters.delete(waiter);
    }
  }
}

function isFarSideAtFault(error: unknown): boolean {
  const failureClass = classifyFailure(error);
  return failureClass === 'unavailable' || failureClass === 'timeout';
}
