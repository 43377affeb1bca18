import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { Ajv2020 } from 'ajv/dist/2020.js';

import { FeedbackEvent, type FeedbackEventFields, type OutageLog } from '../../src/coordinator/index.js';

const CORE_SCHEMA = resolve('test/contracts/core-1.1.0/telemetry.FeedbackEvent.schema.json');
const validate = new Ajv2020({ allErrors: true }).compile(
  JSON.parse(readFileSync(CORE_SCHEMA, 'utf8')) as object,
);

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
export function coreErrors(document: unknown): unknown[] {
  validate(document);
  return validate.errors ?? [];
}

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
