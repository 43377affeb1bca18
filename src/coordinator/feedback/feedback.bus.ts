import { setImmediate as nextTurn } from 'node:timers/promises';

import { SECOND } from '../../config/units.js';
import type { FeedbackEvent as CoreFeedbackEvent } from '../../core/feedback.event.js';
import type { FeedbackPublisher } from '../../core/protocols.js';
import { warn } from '../guarded.call.js';
import type { Listener } from '../guarded.listeners.js';
import { EventMailbox } from './event.mailbox.js';
import { NewestEvents } from './newest.events.js';
import { FeedbackEvent } from './store.feedback.event.js';

/** How far ahead of this machine's clock an event may be dated, seconds: clocks differ by less. */
export const MOST_AHEAD_S = 5;

/**
 * Takes events to everybody in this process who subscribed. A subscriber that hangs, throws or rejects harms
 * neither the publisher nor the others; how much waits for one that hangs is bounded, see EventMailbox.
 */
export class FeedbackBus implements FeedbackPublisher {
  private readonly mailboxes = new Set<EventMailbox>();
  private readonly newest = new NewestEvents();

  /** `onListenerError` gets what a subscriber throws or rejects with; default: a process warning. */
  constructor(private readonly onListenerError: (error: unknown) => void = warn) {}

  /** The event with the latest `ts` of each coordinator, the one that came last at the end. */
  get latest(): readonly FeedbackEvent[] {
    return this.newest.values();
  }

  /** Hears each event once, in order, outside the call that published it. Dispose of the result to unsubscribe. */
  subscribe(listener: Listener<FeedbackEvent>): Disposable {
    const mailbox = new EventMailbox(listener, this.onListenerError);
    this.mailboxes.add(mailbox);
    return {
      [Symbol.dispose]: () => {
        this.mailboxes.delete(mailbox);
        mailbox.close();
      },
    };
  }

  /** True when an event with a later `ts` came from the same coordinator before. */
  isOutdated({ coordinator_id, ts }: CoreFeedbackEvent): boolean {
    const newest = this.newest.get(coordinator_id);
    if (newest === undefined || newest.ts <= ts) return false;
    // Nothing is taken from the future: then this machine's clock was set back, and the event is the newer one.
    return newest.ts <= Date.now() / SECOND + MOST_AHEAD_S;
  }

  /** Resolves when every subscriber has been called or has the event waiting; never rejects. */
  async publish(event: CoreFeedbackEvent): Promise<void> {
    const handed = FeedbackEvent.from(event);
    if (!this.isOutdated(handed)) this.newest.put(handed);
    // Not a microtask: those run before an awaiting publisher's turn ends, so a slow subscriber would hold it up.
    await nextTurn();
    for (const mailbox of [...this.mailboxes]) mailbox.deliver(handed);
  }
}
