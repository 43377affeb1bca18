import { beforeEach, describe, expect, it } from '@jest/globals';

import type { BarBatch } from '../../src/bars/bar.batch.js';
import { Admission } from '../../src/bars/ingest/admission.js';
import { ProblemError } from '../../src/http/problem.error.js';
import { TokenBucketRateController } from '../../src/rate-control/index.js';
import { adjustment, ManualClock } from '../rate-control/feedback.js';
import { decodeText, jsonRow, secondsAfter } from './decode.samples.js';

/** A batch of so many bars of each provider. */
function batchOf(rows: Record<string, number>): BarBatch {
  const lines = Object.entries(rows).flatMap(([provider, count]) =>
    Array.from({ length: count }, (_, at) =>
      jsonRow({ provider: `"${provider}"`, ts: secondsAfter(at * 86_400) }),
    ),
  );
  const { batch } = decodeText(lines.join('\n'), 'ndjson');
  if (batch === null) throw new Error('no bar of it was taken');
  return batch;
}

describe('admission', () => {
  let clock: ManualClock;
  let buckets: TokenBucketRateController;
  let drainMs: number;
  let admission: Admission;

  beforeEach(() => {
    clock = new ManualClock();
    buckets = new TokenBucketRateController({ now: clock.now });
    buckets.register('ibkr', { refillRate: 10, burst: 100 });
    drainMs = 0;
    admission = new Admission(buckets, () => drainMs);
  });

  function refusalOf(rows: Record<string, number>): ProblemError {
    try {
      admission.admit(batchOf(rows));
    } catch (error) {
      if (error instanceof ProblemError) return error;
      throw error;
    }
    throw new Error('it was let in');
  }

  const tokens = (provider = 'ibkr') => buckets.entry(provider)?.tokens;
  const circuit = () => buckets.entry('ibkr')?.circuit_state;

  it('takes the rows of each provider that is registered from its bucket', () => {
    buckets.register('polygon', { refillRate: 10, burst: 100 });
    admission.admit(batchOf({ ibkr: 30, polygon: 20, unlimited: 500 }));
    admission.admit(batchOf({ ibkr: 5 }));
    expect([tokens(), tokens('polygon')]).toEqual([65, 80]);
  });

  it('refuses a batch as a whole when one of its providers may not send now, with the time to wait', () => {
    buckets.register('polygon', { refillRate: 10, burst: 10 });
    buckets.tryAcquire('polygon', 10);
    const { code, detail, extras } = refusalOf({ ibkr: 30, polygon: 8 });
    expect([code, detail]).toEqual(['rate-limited', 'polygon may not send 8 bars now (tokens).']);
    expect(extras).toMatchObject({ retryAfterMs: 800 });
    expect(extras.headers).toBeUndefined();
    expect(tokens()).toBe(100);
  });

  it('tells a provider that is paused to stop, and to come back when the queue may have drained', async () => {
    await buckets.apply(adjustment('ibkr', 0, 'hard'));
    expect(refusalOf({ ibkr: 1 })).toMatchObject({
      code: 'rate-limited',
      detail: 'ibkr may not send 1 bars now (paused).',
      extras: { retryAfterMs: 5_000, headers: { 'x-backpressure': 'hard' } },
    });
    drainMs = 42_000;
    expect(refusalOf({ ibkr: 1 }).extras.retryAfterMs).toBe(42_000);
    await buckets.apply(adjustment('ibkr', 1, 'ok'));
    expect(() => admission.admit(batchOf({ ibkr: 1 }))).not.toThrow();
  });

  it('meets providers that are new, and lets them in whatever their scale', async () => {
    admission.admit(batchOf({ polygon: 1, ibkr: 1, other: 1 }));
    admission.admit(batchOf({ single: 1 }));
    expect(buckets.names()).toEqual(['ibkr', 'polygon', 'other', 'single']);
    await buckets.apply(adjustment('single', 0, 'hard'));
    expect(() => admission.admit(batchOf({ single: 1_000 }))).not.toThrow();
  });

  it('refuses one without a rate for as long as it cools down, and notes that it delivered after', () => {
    admission.admit(batchOf({ polygon: 1 }));
    for (let pause = 1; pause <= 4; pause++) buckets.cooldown('polygon', 1);
    expect(refusalOf({ polygon: 1 })).toMatchObject({
      detail: 'polygon may not send 1 bars now (cooldown).',
      extras: { retryAfterMs: 1_000 },
    });
    clock.ms = 1_000;
    admission.admit(batchOf({ polygon: 1 })).taken();
    for (let pause = 1; pause <= 4; pause++) buckets.cooldown('polygon', 1);
    expect(buckets.entry('polygon')?.circuit_state).toBe('closed');
  });

  it('gives the rows back when the batch is not taken', () => {
    const { giveBack } = admission.admit(batchOf({ ibkr: 30 }));
    giveBack();
    expect(tokens()).toBe(100);
  });

  it('lets one batch in after five pauses with nothing taken between them, and the rest when that was taken', () => {
    const pauseFor = (seconds: number) => buckets.cooldown('ibkr', seconds);
    for (let pause = 1; pause <= 4; pause++) pauseFor(1);
    clock.ms = 1_000;
    admission.admit(batchOf({ ibkr: 1 })).taken();
    for (let pause = 1; pause <= 4; pause++) pauseFor(1);
    expect(circuit()).toBe('closed');
    pauseFor(1);
    expect([circuit(), refusalOf({ ibkr: 1 }).extras.retryAfterMs]).toEqual(['open', 10_000]);

    clock.ms = 11_000;
    const probe = admission.admit(batchOf({ ibkr: 1 }));
    expect(refusalOf({ ibkr: 1 }).detail).toBe('ibkr may not send 1 bars now (circuit_open).');
    probe.taken();
    expect(circuit()).toBe('closed');
    expect(() => admission.admit(batchOf({ ibkr: 1 }))).not.toThrow();
  });
});
