import 'reflect-metadata';

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { ContractError, FeedbackEvent, parseContract } from '../../src/core/index.js';
import { parseDuckTypedEvent } from '../../src/rate-control/index.js';

/** The fields that the refusal of a document names. */
function refused(document: unknown): string[] {
  try {
    parseDuckTypedEvent(document);
  } catch (error) {
    if (error instanceof ContractError) return error.violations.map(({ field }) => field);
    throw error;
  }
  throw new Error('it was accepted');
}

describe('an event of the older kind', () => {
  it('is ok when it has no level', () => {
    expect(parseDuckTypedEvent({ queue_size: 3 })).toMatchObject({ level: 'ok', queue_size: 3 });
    expect(parseDuckTypedEvent({}).level).toBe('ok');
    expect(refused({ level: null })).toEqual(['level']);
  });

  it('needs no more than a level in any case', () => {
    const event = parseDuckTypedEvent({ level: ' HARD ' }, 1_700_000_000.5);
    expect(event).toBeInstanceOf(FeedbackEvent);
    expect(Object.isFrozen(event)).toBe(true);
    expect(event).toEqual({
      coordinator_id: 'unknown',
      queue_size: 0,
      capacity: 1,
      level: 'hard',
      source: 'store',
      ts: 1_700_000_000.5,
    });
  });

  it('keeps what it does say, and drops what Core does not know', () => {
    const said = { coordinator_id: 'c1', queue_size: 3, capacity: 10, source: 'pipeline', ts: 5 };
    expect(parseDuckTypedEvent({ ...said, level: 'Soft', extra: 1 })).toEqual({
      ...said,
      level: 'soft',
    });
  });

  it('may be an object of a class', () => {
    class Older {
      constructor(private readonly rows: number) {}
      get level() {
        return this.rows > 0 ? 'SOFT' : 'OK';
      }
    }
    expect(parseDuckTypedEvent(new Older(1)).level).toBe('soft');
  });

  it('gets a capacity that holds its queue when it has none or 0', () => {
    expect(parseDuckTypedEvent({ level: 'ok', capacity: 0 }).capacity).toBe(1);
    expect(parseDuckTypedEvent({ level: 'ok', capacity: null, queue_size: 7 }).capacity).toBe(7);
  });

  it('has the present for its time when it has none', () => {
    expect(Math.abs(parseDuckTypedEvent({ level: 'ok' }).ts - Date.now() / 1000)).toBeLessThan(1);
  });

  it('is refused with the field named when something is there and wrong', () => {
    expect(refused({ level: 'panic' })).toEqual(['level']);
    expect(refused({ level: 2 })).toEqual(['level']);
    expect(refused({ level: 'ok', queue_size: -1 })).toEqual(['queue_size']);
    expect(refused({ level: 'ok', capacity: 'many', ts: 'now' })).toEqual(['capacity', 'ts']);
    expect(refused({ level: 'ok', queue_size: { valueOf: 1, toString: 1 } })).toEqual(['queue_size']);
    expect(refused({ level: 'ok', coordinator_id: 5 })).toEqual(['coordinator_id']);
    for (const document of [null, undefined, 'hard', 1, [], ['hard']])
      expect(refused(document)).toEqual(['']);
  });

  it('comes out as a Core event or a ContractError, whatever it is', () => {
    const field = fc.option(fc.oneof(fc.anything(), fc.nat(100)), { nil: undefined });
    const document = fc.record({
      level: fc.oneof(fc.constantFrom('ok', 'SOFT', 'Hard'), fc.anything()),
      coordinator_id: fc.oneof(field, fc.string()),
      queue_size: field,
      capacity: field,
      ts: field,
    });
    fc.assert(
      fc.property(fc.oneof(document, fc.anything()), (any) => {
        try {
          const event = parseDuckTypedEvent(any);
          expect(parseContract(FeedbackEvent, event)).toEqual(event);
        } catch (error) {
          if (!(error instanceof ContractError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});
