import { IsOptional, IsString } from 'class-validator';

import type { BackpressureLevel } from '../../core/backpressure.level.js';
import { UNPRINTABLE } from '../../config/printable.text.js';
import { parseContract } from '../../core/contract.js';
import { ContractError } from '../../core/contract.error.js';
import { FeedbackEvent as CoreFeedbackEvent } from '../../core/feedback.event.js';

/** Characters of a name in an event from elsewhere: names are remembered, and become labels of metrics. */
export const MOST_NAME_CHARACTERS = 256;

/** Why the Store sends an event. */
export type FeedbackReason =
  | 'soft_watermark'
  | 'high_watermark'
  | 'queue_recovered'
  | 'circuit_open'
  | 'circuit_closed'
  | 'spool_full'
  | 'heartbeat';

/** What an event of the Store is made of; the rest is filled in. */
export interface FeedbackEventFields {
  readonly coordinator_id: string;
  /** Rows held, at least 0. */
  readonly queue_size: number;
  /** Rows that fit, above 0. */
  readonly capacity: number;
  readonly level: BackpressureLevel;
  readonly reason?: FeedbackReason | null | undefined;
}

/** The Store's event: Core's, and why it was sent. Immutable. */
export class FeedbackEvent extends CoreFeedbackEvent {
  /** Why it was sent: a FeedbackReason when it is ours, anything or nothing when it came from elsewhere. */
  @IsOptional()
  @IsString()
  readonly reason?: string | null;

  /** queue_size / capacity, 0 when the capacity is 0; not serialised. */
  get utilization(): number {
    return this.capacity > 0 ? this.queue_size / this.capacity : 0;
  }

  /** An event of this moment; throws a ContractError when Core would refuse it. */
  static create(fields: FeedbackEventFields): FeedbackEvent {
    return parseContract(FeedbackEvent, { ...fields, source: 'store', ts: Date.now() / 1000 });
  }

  /** The same event as a Store's one, for whoever has only Core's. */
  static from(event: CoreFeedbackEvent): FeedbackEvent {
    if (event instanceof FeedbackEvent) return event;
    const { coordinator_id, queue_size, capacity, level, source, ts } = event;
    const fields = { coordinator_id, queue_size, capacity, level, source, ts };
    return Object.freeze(Object.assign(new FeedbackEvent(), fields));
  }
}

/**
 * Reads an event that was parsed from JSON, with or without a reason. Beside what Core asks for, its names are bounded
 * and printable.
 * @throws ContractError naming each field that is wrong
 */
export function parseFeedbackEvent(document: unknown): FeedbackEvent {
  const event = parseContract(FeedbackEvent, document);
  const problems = (['coordinator_id', 'source', 'reason'] as const).flatMap((field) => {
    const detail = nameProblem(event[field] ?? '');
    return detail === undefined ? [] : [{ field, detail }];
  });
  if (problems.length > 0) throw new ContractError('FeedbackEvent', problems);
  return event;
}

function nameProblem(name: string): string | undefined {
  if (name.length > MOST_NAME_CHARACTERS) return `must be at most ${MOST_NAME_CHARACTERS} characters`;
  return UNPRINTABLE.test(name) ? 'must have printable characters only' : undefined;
}
