import type { FeedbackEvent as CoreFeedbackEvent } from '../../core/feedback.event.js';
import { FeedbackEvent } from './store.feedback.event.js';

/** An event as other processes get it: Core's keys, `reason` when there is one, and `utilization`. */
export type FeedbackMessage = Pick<FeedbackEvent, keyof CoreFeedbackEvent | 'reason' | 'utilization'>;

/** What is serialised of an event that leaves the process. */
export function feedbackMessage(event: CoreFeedbackEvent): FeedbackMessage {
  const { coordinator_id, queue_size, capacity, level, source, ts, reason, utilization } =
    FeedbackEvent.from(event);
  return {
    coordinator_id,
    queue_size,
    capacity,
    level,
    source,
    ts,
    ...(reason === undefined ? {} : { reason }),
    utilization,
  };
}
