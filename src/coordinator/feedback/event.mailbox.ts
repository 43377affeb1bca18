import { callGuarded } from '../guarded.call.js';
import type { Listener } from '../guarded.listeners.js';
import { NewestEvents } from './newest.events.js';
import type { FeedbackEvent } from './store.feedback.event.js';

/** Events that may wait for a listener; a live one is behind by a few at most. */
const MOST_WAITING = 256;

/**
 * Hands one listener one event at a time, in order, waiting for the promise it may return. While it hangs, 256
 * events wait; from then on only the newest of each coordinator do, for the current level is what matters.
 */
export class EventMailbox {
  private waiting: FeedbackEvent[] = [];
  private busy = false;

  /** `onError` gets what the listener throws or rejects with. */
  constructor(
    private readonly listener: Listener<FeedbackEvent>,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Events that wait for the listener. */
  get length(): number {
    return this.waiting.length;
  }

  /** Calls the listener before it returns, unless an earlier event keeps it busy. */
  deliver(event: FeedbackEvent): void {
    this.waiting.push(event);
    if (!this.busy) void this.handOver();
    else if (this.waiting.length > MOST_WAITING) this.keepNewest();
  }

  /** Forgets what waits. */
  close(): void {
    this.waiting = [];
  }

  private async handOver(): Promise<void> {
    this.busy = true;
    for (let event = this.waiting.shift(); event; event = this.waiting.shift()) {
      try {
        await this.listener(event);
      } catch (error) {
        callGuarded(() => this.onError(error));
      }
    }
    this.busy = false;
  }

  private keepNewest(): void {
    const newest = new NewestEvents();
    for (const event of this.waiting) newest.put(event);
    this.waiting = newest.values().slice(-MOST_WAITING);
  }
}
