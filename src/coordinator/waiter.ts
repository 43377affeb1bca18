/** A promise that somebody else settles, at most once, or that rejects with the signal's reason on abort. */
export class Waiter<V> {
  /** What the waiting party awaits. */
  readonly promise: Promise<V>;
  private fulfil!: (value: V) => void;
  private fail!: (reason: unknown) => void;

  /** `onAbort` takes the waiter out of its line, before the promise rejects. */
  constructor(
    private readonly signal?: AbortSignal,
    private readonly onAbort?: () => void,
  ) {
    this.promise = new Promise<V>((resolve, reject) => {
      this.fulfil = resolve;
      this.fail = reject;
    });
    signal?.addEventListener('abort', this.abort);
  }

  /** Ends the wait with a value; an abort after it has no effect. */
  resolve(value: V): void {
    this.signal?.removeEventListener('abort', this.abort);
    this.fulfil(value);
  }

  /** Ends the wait with an error; an abort after it has no effect. */
  reject(error: Error): void {
    this.signal?.removeEventListener('abort', this.abort);
    this.fail(error);
  }

  private readonly abort = (): void => {
    this.signal?.removeEventListener('abort', this.abort);
    this.onAbort?.();
    this.fail(this.signal?.reason);
  };
}
