import type { FeedbackEvent } from '../core/index.js';
import type { FeedbackBus } from './feedback/feedback.bus.js';

/** Reads a document as an event; throws ContractError when it is none. */
export type FeedbackParser = (document: unknown) => FeedbackEvent;

/** Injection token of the FeedbackParser for events from elsewhere. */
export const FEEDBACK_PARSER = Symbol('FEEDBACK_PARSER');

/** Takes events of other stores onto the bus. */
export class FeedbackInbox {
  private namesakeTold = false;

  constructor(
    private readonly ownId: string,
    private readonly bus: FeedbackBus,
    readonly parse: FeedbackParser,
    private readonly warn: (message: string) => void,
  ) {}

  /** An event in this coordinator's own name is not applied: it came from here, or another store has the same name. */
  async take(event: FeedbackEvent): Promise<void> {
    if (event.coordinator_id !== this.ownId) await this.bus.publish(event);
    else this.tellOfNamesake();
  }

  private tellOfNamesake(): void {
    if (this.namesakeTold) return;
    this.namesakeTold = true;
    this.warn(
      `an event of ${this.ownId}, this store's own name, came from elsewhere and is not obeyed: ` +
        'give each store a MDS_COORDINATOR_ID of its own',
    );
  }
}
