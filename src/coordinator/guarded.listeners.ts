import { callGuarded, warn } from './guarded.call.js';

/** Hears an event; a returned promise is not waited for. */
export type Listener<E> = (event: E) => unknown;

/** The listeners of one kind of event, kept apart from the emitter and from each other. */
export class GuardedListeners<E> {
  private readonly listeners = new Set<{ readonly call: Listener<E> }>();
  private outbox: E[] = [];

  /** `onError` gets what a listener throws or rejects with. */
  constructor(private readonly onError: (error: unknown) => void = warn) {}

  /** Subscribes; disposing of the result ends the subscription. */
  add(call: Listener<E>): Disposable {
    const listener = { call };
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => void this.listeners.delete(listener) };
  }

  /** Delivers the event to every listener, in order of events, after the current call stack has ended. */
  emit(event: E): void {
    if (this.listeners.size === 0) return;
    // Not a microtask: those run before an awaiting producer goes on, so a slow listener would hold it up.
    if (this.outbox.push(event) === 1) setImmediate(() => this.deliver());
  }

  private deliver(): void {
    const events = this.outbox;
    this.outbox = [];
    for (const event of events) {
      for (const { call } of [...this.listeners]) callGuarded(() => call(event), this.onError);
    }
  }
}
