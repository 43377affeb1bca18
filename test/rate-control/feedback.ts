import 'reflect-metadata';

import {
  type BackpressureLevel,
  FeedbackEvent,
  parseContract,
  RateAdjustment,
} from '../../src/core/index.js';

/** A clock that only the test moves, in milliseconds. */
export class ManualClock {
  ms = 0;
  readonly now = (): number => this.ms;
}

/** An event of the coordinator, valid by Core's contract. */
export function event(coordinator_id: string, level: BackpressureLevel, ts = 1_700_000_000): FeedbackEvent {
  return parseContract(FeedbackEvent, { coordinator_id, level, ts, queue_size: 1, capacity: 10 });
}

/** An adjustment, valid by Core's contract. */
export function adjustment(
  provider: string,
  scale: number,
  reason: BackpressureLevel = 'soft',
): RateAdjustment {
  return parseContract(RateAdjustment, { provider, scale, reason, ts: 1_700_000_000 });
}

/** Lets every promise that can settle without a timer do so. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
