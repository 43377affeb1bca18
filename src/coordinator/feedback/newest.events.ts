import type { FeedbackEvent } from './store.feedback.event.js';

/** Ids come from other stores too: without a bound, one that makes them up would fill the memory. */
const MOST_COORDINATORS = 1024;

/** The newest event of each coordinator, in order of arrival; beyond 1,024 coordinators the longest silent one goes. */
export class NewestEvents {
  private readonly events = new Map<string, FeedbackEvent>();

  /** Adds an event, in place of an earlier one of its coordinator. */
  put(event: FeedbackEvent): void {
    this.events.delete(event.coordinator_id);
    this.events.set(event.coordinator_id, event);
    const [longestSilent] = this.events.keys();
    if (this.events.size > MOST_COORDINATORS && longestSilent !== undefined)
      this.events.delete(longestSilent);
  }

  /** The event of a coordinator, if there is one. */
  get(coordinatorId: string): FeedbackEvent | undefined {
    return this.events.get(coordinatorId);
  }

  /** Gives back an event that was taken, unless its coordinator has a newer one. */
  restore(event: FeedbackEvent): void {
    if (!this.events.has(event.coordinator_id)) this.put(event);
  }

  /** Removes and returns the event that came first, or undefined when there is none. */
  take(): FeedbackEvent | undefined {
    const [first] = this.events.values();
    if (first) this.events.delete(first.coordinator_id);
    return first;
  }

  /** All of them, the latest last. */
  values(): FeedbackEvent[] {
    return [...this.events.values()];
  }

  /** Forgets all of them. */
  clear(): void {
    this.events.clear();
  }
}
