/** The wish that the service stops, and by when it must have ended. Made once; there is no way back. */
export class StopRequest {
  /** Resolves when the service is to stop. */
  readonly made: Promise<void>;
  private readonly wish = new AbortController();
  private deadline = Infinity;

  /** @param timeoutMs from the wish to the end of the process, milliseconds */
  constructor(readonly timeoutMs: number) {
    this.made = new Promise((resolve) => this.signal.addEventListener('abort', () => resolve()));
  }

  /** Aborts when the service is to stop. */
  get signal(): AbortSignal {
    return this.wish.signal;
  }

  /** Milliseconds in which the service must have ended; Infinity while it is not to stop. */
  get leftMs(): number {
    return Math.max(0, this.deadline - performance.now());
  }

  /** A second call does nothing. */
  make(): void {
    if (this.signal.aborted) return;
    this.deadline = performance.now() + this.timeoutMs;
    this.wish.abort();
  }
}
