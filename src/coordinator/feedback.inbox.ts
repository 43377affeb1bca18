import type { FeedbackEvent } from '../core/index.js';
import type { FeedbackBus } from './feedback/feedback.bus.js';

/** Reads a document as an event; throws ContractError when it is none. */
export type FeedbackParser = (document: unknown) => FeedbackEvent;

/** Injection token of the FeedbackParser for events from elsewhere. */
export const FEEDBACK_PARSER = Symbol('FEEDBACK_PARSER');

/** Takes events of other stores onto the bus. */
export class FeedbackInbox {
  constructor(
    private readonly ownId: string,
    private readonly bus: FeedbackBus,
    readonly parse: FeedbackParser,
  ) {}

  /** An event in this coordinator's own name came from here, or pretends to: it is not applied again. */
  async take(event: FeedbackEvent): Promise<void> {
    if (event.coordinator_id !== this.ownId) await this.bus.publish(event);
  }
}
