/** A promise that somebody else settles, at most once, or that rejects with the signal's reason on abort. */
export class Waiter<V> {
  /** What the waiting party awaits. */
  readonly promise: Promise<V>;
  private fulfil!: (value: V) => void;
  private fail!: (reason: unknown) => void;
  /** Stops listening to the signal, if there is one. */
  private readonly leave: (() => void) | undefined;

  /** `onAbort` takes the waiter out of its line, before the promise rejects. */
  constructor(signal?: AbortSignal, onAbort?: () => void) {
    this.promise = new Promise<V>((resolve, reject) => {
      this.fulfil = resolve;
      this.fail = reject;
    });
    if (!signal) return;
    const abort = (): void => {
      this.leave?.();
      onAbort?.();
      this.fail(signal.reason);
    };
    this.leave = () => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort);
  }

  /** Ends the wait with a value; an abort after it has no effect. */
  resolve(value: V): void {
    this.leave?.();
    this.fulfil(value);
  }

  /** Ends the wait with an error; an abort after it has no effect. */
  reject(error: Error): void {
    this.leave?.();
    this.fail(error);
  }
}
