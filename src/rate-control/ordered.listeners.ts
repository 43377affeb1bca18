/** Hears an event; a returned promise is not waited for. */
export type RateListener<E> = (event: E) => unknown;

/**
 * The listeners of one kind of event. They are called before `emit` returns, so that a provider has its scale by
 * the time its registration is done, and never see a later event before an earlier one.
 */
export class OrderedListeners<E> {
  private readonly listeners = new Set<{ readonly call: RateListener<E> }>();
  private readonly outbox: E[] = [];
  private delivering = false;

  /** Subscribes; disposing of the result ends the subscription. */
  add(call: RateListener<E>): Disposable {
    const listener = { call };
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => void this.listeners.delete(listener) };
  }

  /** Delivers the event to every listener; what one throws or rejects with becomes a process warning. */
  emit(event: E): void {
    this.outbox.push(event);
    // A listener that causes another event would otherwise hand it to those that have not heard this one yet.
    if (this.delivering) return;
    this.delivering = true;
    for (let next = this.outbox.shift(); next !== undefined; next = this.outbox.shift()) {
      for (const { call } of [...this.listeners]) deliver(call, next);
    }
    this.delivering = false;
  }
}

function deliver<E>(call: RateListener<E>, event: E): void {
  try {
    const result = call(event);
    if (result instanceof Promise) result.catch(warn);
  } catch (error) {
    warn(error);
  }
}

/** Makes an error that nobody asked for a process warning, so that none is swallowed. */
export function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
