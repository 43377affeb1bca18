/** `closed` grants, `open` refuses, `half_open` grants one probe and waits for what is said of it. */
export type ProviderCircuitState = 'closed' | 'open' | 'half_open';

type State =
  | { readonly name: 'closed'; readonly failures: number }
  | { readonly name: 'open'; readonly until: number }
  /** `probeUntil`: when the probe under way is given up; undefined while none is. */
  | { readonly name: 'half_open'; readonly probeUntil: number | undefined };

/** Settings of a ProviderCircuit. */
export interface ProviderCircuitOptions {
  /** Failures in a row that open it; default 5. */
  readonly failureThreshold?: number | undefined;
  /** Milliseconds from opening to the probe, and most that a probe's outcome is waited for; default 10,000. */
  readonly halfOpenAfterMs?: number | undefined;
  /** A clock that never goes back, in milliseconds; default performance.now. */
  readonly now?: (() => number) | undefined;
}

/** Stops granting to a provider that keeps failing, and finds out by one grant at a time whether it still does. */
export class ProviderCircuit {
  private current: State = { name: 'closed', failures: 0 };
  private readonly failureThreshold: number;
  private readonly halfOpenAfterMs: number;
  private readonly now: () => number;

  constructor(options: ProviderCircuitOptions = {}) {
    this.failureThreshold = options.failureThreshold ?? 5;
    this.halfOpenAfterMs = options.halfOpenAfterMs ?? 10_000;
    this.now = options.now ?? (() => performance.now());
  }

  /** Where it stands now. */
  get state(): ProviderCircuitState {
    return this.advance().name;
  }

  /** True when it is closed and nothing failed since the last success. */
  get isUnharmed(): boolean {
    return this.current.name === 'closed' && this.current.failures === 0;
  }

  /** Milliseconds until it may grant, as far as is known; 0 when it would now. */
  get retryAfterMs(): number {
    const state = this.advance();
    switch (state.name) {
      case 'closed':
        return 0;
      case 'open':
        return state.until - this.now();
      case 'half_open':
        return state.probeUntil === undefined ? 0 : state.probeUntil - this.now();
    }
  }

  /** Notes a grant; the one in `half_open` is the probe. Throws when `retryAfterMs` is not 0. */
  enter(): void {
    if (this.retryAfterMs > 0) throw new Error(`a grant was made through a ${this.state} circuit`);
    if (this.current.name === 'half_open') {
      this.current = { name: 'half_open', probeUntil: this.now() + this.halfOpenAfterMs };
    }
  }

  /** The provider answered as it should. */
  recordSuccess(): void {
    const state = this.advance();
    switch (state.name) {
      case 'closed':
        this.close();
        return;
      case 'open':
        return;
      case 'half_open':
        // Without a probe it is late news of a grant from before it opened, and says nothing of the present.
        if (state.probeUntil !== undefined) this.close();
        return;
    }
  }

  /** The provider failed. */
  recordFailure(): void {
    const state = this.advance();
    switch (state.name) {
      case 'closed':
        if (state.failures + 1 >= this.failureThreshold) this.open();
        else this.current = { name: 'closed', failures: state.failures + 1 };
        return;
      case 'open':
        return;
      case 'half_open':
        if (state.probeUntil !== undefined) this.open();
        return;
    }
  }

  private close(): void {
    this.current = { name: 'closed', failures: 0 };
  }

  private open(): void {
    this.current = { name: 'open', until: this.now() + this.halfOpenAfterMs };
  }

  /** The state after what time alone has changed. */
  private advance(): State {
    const state = this.current;
    if (state.name === 'open' && this.now() >= state.until) {
      this.current = { name: 'half_open', probeUntil: undefined };
    }
    // A probe whose outcome nobody reports would keep the provider stopped for ever.
    if (state.name === 'half_open' && state.probeUntil !== undefined && this.now() >= state.probeUntil) {
      this.current = { name: 'half_open', probeUntil: undefined };
    }
    return this.current;
  }
}
