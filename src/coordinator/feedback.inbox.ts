import { SECOND } from '../config/units.js';
import { ContractError, type FeedbackEvent } from '../core/index.js';
import { type FeedbackBus, MOST_AHEAD_S } from './feedback/feedback.bus.js';

/** Reads a document as an event; throws ContractError when it is none. */
export type FeedbackParser = (document: unknown) => FeedbackEvent;

/** Injection token of the FeedbackParser for events from elsewhere. */
export const FEEDBACK_PARSER = Symbol('FEEDBACK_PARSER');

const WARNING_PAUSE_MS = 60 * SECOND;

/** Takes events of other stores onto the bus. */
export class FeedbackInbox {
  private namesakeTold = false;
  /** Until then no event from the future is logged, milliseconds of performance.now. */
  private quietUntil = -Infinity;

  constructor(
    private readonly ownId: string,
    private readonly bus: FeedbackBus,
    private readonly parse: FeedbackParser,
    private readonly warn: (message: string) => void,
    /** Unix epoch, milliseconds. */
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Reads a document as an event. One from the future is none: of two events of a coordinator the later one counts, so it
   * would hide all that come until then.
   * @throws ContractError
   */
  readonly read = (document: unknown): FeedbackEvent => {
    const event = this.parse(document);
    const aheadS = event.ts - this.now() / SECOND;
    if (aheadS <= MOST_AHEAD_S) return event;
    this.tellOfFuture(event, aheadS);
    const detail = `must be at most ${MOST_AHEAD_S} s ahead of this store's clock, not ${Math.round(aheadS)} s`;
    throw new ContractError('FeedbackEvent', [{ field: 'ts', detail }]);
  };

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

  private tellOfFuture({ coordinator_id }: FeedbackEvent, aheadS: number): void {
    if (performance.now() < this.quietUntil) return;
    this.quietUntil = performance.now() + WARNING_PAUSE_MS;
    this.warn(
      `an event of ${JSON.stringify(coordinator_id)} is dated ${Math.round(aheadS)} s ahead and is not obeyed, ` +
        'nor are others like it: compare the clocks of the two machines',
    );
  }
}
