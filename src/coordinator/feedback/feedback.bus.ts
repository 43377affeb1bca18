import { setImmediate as nextTurn } from 'node:timers/promises';

import type { FeedbackEvent as CoreFeedbackEvent } from '../../core/feedback.event.js';
import type { FeedbackPublisher } from '../../core/protocols.js';
import { warn } from '../guarded.call.js';
import type { Listener } from '../guarded.listeners.js';
import { EventMailbox } from './event.mailbox.js';
import { NewestEvents } from './newest.events.js';
import { FeedbackEvent } from './store.feedback.event.js';

/**
 * Takes events to everybody in this process who subscribed. A subscriber that hangs, throws or rejects harms
 * neither the publisher nor the others; how much waits for one that hangs is bounded, see EventMailbox.
 */
export class FeedbackBus implements FeedbackPublisher {
  private readonly mailboxes = new Set<EventMailbox>();
  private readonly newest = new NewestEvents();

  /** `onListenerError` gets what a subscriber throws or rejects with; default: a process warning. */
  constructor(private readonly onListenerError: (error: unknown) => void = warn) {}

  /** The newest event of each coordinator, the latest last. */
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

  /** Resolves when every subscriber has been called or has the event waiting; never rejects. */
  async publish(event: CoreFeedbackEvent): Promise<void> {
    const handed = FeedbackEvent.from(event);
    this.newest.put(handed);
    // Not a microtask: those run before an awaiting publisher's turn ends, so a slow subscriber would hold it up.
    await nextTurn();
    for (const mailbox of [...this.mailboxes]) mailbox.deliver(handed);
  }
}
