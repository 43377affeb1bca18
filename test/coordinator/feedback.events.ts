import { FeedbackEvent, type FeedbackEventFields, type OutageLog } from '../../src/coordinator/index.js';
import { coreSchema, refusalsBy } from '../support/core.schemas.js';

/** An event whose size tells it from others. */
export function event(queue_size: number, fields: Partial<FeedbackEventFields> = {}): FeedbackEvent {
  return FeedbackEvent.create({
    coordinator_id: 'bars-1',
    queue_size,
    capacity: 1000,
    level: 'soft',
    reason: 'soft_watermark',
    ...fields,
  });
}

/** What Core's own schema has against a document; nothing when it is an event. */
export const coreErrors = refusalsBy(coreSchema('telemetry.FeedbackEvent'));

/** A log that remembers. */
export function remembered() {
  const warnings: string[] = [];
  const news: string[] = [];
  const log: OutageLog = {
    warn: (message) => void warnings.push(message),
    log: (message) => void news.push(message),
  };
  return { log, warnings, news };
}
