import { describe, expect, it } from '@jest/globals';

import { FeedbackEvent, feedbackMessage, parseFeedbackEvent } from '../../src/coordinator/index.js';
import { parseContract } from '../../src/core/contract.js';
import { ContractError } from '../../src/core/contract.error.js';
import { FeedbackEvent as CoreFeedbackEvent } from '../../src/core/feedback.event.js';
import { samplesOf } from '../support/core.schemas.js';
import { coreErrors, event } from './feedback.events.js';

const overTheWire = (document: unknown) => JSON.parse(JSON.stringify(document)) as Record<string, unknown>;

describe("the Store's FeedbackEvent", () => {
  it("is one of Core's, from the store, of this moment", () => {
    const before = Date.now() / 1000;
    const made = event(850, { level: 'hard', reason: 'high_watermark' });
    expect(made).toBeInstanceOf(CoreFeedbackEvent);
    expect(made.source).toBe('store');
    expect(made.ts).toBeGreaterThanOrEqual(before);
    expect(made.ts).toBeLessThanOrEqual(Date.now() / 1000);
    expect(coreErrors(overTheWire(made))).toEqual([]);
  });

  it('serialises its reason and not its utilization', () => {
    const made = event(850);
    expect(made.utilization).toBe(0.85);
    expect(Object.keys(overTheWire(made)).sort()).toEqual([
      'capacity',
      'coordinator_id',
      'level',
      'queue_size',
      'reason',
      'source',
      'ts',
    ]);
    expect(overTheWire(event(1, { reason: null }))['reason']).toBeNull();
    expect(overTheWire(event(1, { reason: undefined }))).not.toHaveProperty('reason');
  });

  it('has the utilization 0 when the capacity is 0', () => {
    expect(Object.assign(new FeedbackEvent(), { queue_size: 5, capacity: 0 }).utilization).toBe(0);
  });

  it('cannot be changed', () => {
    const made = event(1);
    expect(() => Object.assign(made, { queue_size: 2 })).toThrow(TypeError);
    expect(() => Object.assign(FeedbackEvent.from(coreEvent()), { level: 'ok' })).toThrow(TypeError);
  });

  it('is not made of what Core would refuse', () => {
    expect(() => event(-1)).toThrow(ContractError);
    expect(() => event(0, { capacity: 0 })).toThrow(/capacity/);
  });

  it("is read from Core's events and its own, and not from what Core calls invalid", () => {
    for (const sample of samplesOf('FeedbackEvent.valid.json') as Record<string, unknown>[]) {
      const read = parseFeedbackEvent(sample);
      expect({ source: 'store', ...sample }).toMatchObject(overTheWire(read));
      expect(overTheWire(read)).not.toHaveProperty('an_unknown_field');
      expect(read.utilization).toBe(read.queue_size / read.capacity);
    }
    for (const { event: sample } of samplesOf('FeedbackEvent.invalid.json') as { event: unknown }[]) {
      expect(() => parseFeedbackEvent(sample)).toThrow(ContractError);
    }
    const ours = event(3);
    expect(parseFeedbackEvent(overTheWire(ours))).toEqual(ours);
  });

  it('is not read when a name in it is longer than 256 characters, and each such name is told', () => {
    const names = { coordinator_id: 'c'.repeat(256), source: 's'.repeat(256), reason: 'r'.repeat(256) };
    expect(parseFeedbackEvent({ ...overTheWire(event(3)), ...names })).toMatchObject(names);
    const longer = { coordinator_id: 'c'.repeat(257), source: 's'.repeat(257), reason: 'r'.repeat(257) };
    expect(() => parseFeedbackEvent({ ...overTheWire(event(3)), ...longer })).toThrow(
      /coordinator_id must be at most 256 characters; source must.*; reason must/,
    );
    // Core bounds no name.
    expect(parseContract(CoreFeedbackEvent, { ...overTheWire(event(3)), ...longer }).source).toBe(
      longer.source,
    );
  });

  it('leaves the process with reason and utilization, in a form that Core reads', () => {
    const message = overTheWire(feedbackMessage(event(500)));
    expect(message).toMatchObject({ queue_size: 500, reason: 'soft_watermark', utilization: 0.5 });
    expect(parseContract(CoreFeedbackEvent, message)).toMatchObject({
      coordinator_id: 'bars-1',
      level: 'soft',
    });
    const fromCore = overTheWire(feedbackMessage(coreEvent()));
    expect(fromCore).toMatchObject({ source: 'elsewhere', utilization: 0.25 });
    expect(fromCore).not.toHaveProperty('reason');
  });
});

function coreEvent(): CoreFeedbackEvent {
  return parseContract(CoreFeedbackEvent, {
    coordinator_id: 'other',
    queue_size: 1,
    capacity: 4,
    level: 'hard',
    source: 'elsewhere',
    ts: 1.5,
  });
}
