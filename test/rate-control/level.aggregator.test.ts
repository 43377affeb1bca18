import 'reflect-metadata';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';

import type { BackpressureLevel } from '../../src/core/index.js';
import { LevelAggregator } from '../../src/rate-control/index.js';
import { event, ManualClock } from './feedback.js';

describe('LevelAggregator', () => {
  let aggregator: LevelAggregator;
  let expiries: BackpressureLevel[];

  beforeEach(() => {
    jest.useFakeTimers();
    aggregator = new LevelAggregator({ heartbeatMs: 1000 });
    expiries = [];
    aggregator.onExpiry((level) => expiries.push(level));
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is ok while nobody says otherwise', () => {
    expect(aggregator.effective).toBe('ok');
    expect(aggregator.observe(event('a', 'ok'))).toBe('ok');
  });

  it('holds the worst level: one ok cannot hide the hard of another', () => {
    expect(aggregator.observe(event('a', 'hard'))).toBe('hard');
    expect(aggregator.observe(event('b', 'ok'))).toBe('hard');
    expect(aggregator.observe(event('b', 'soft'))).toBe('hard');
    expect(aggregator.observe(event('a', 'ok', 1_700_000_001))).toBe('soft');
    expect(aggregator.observe(event('b', 'ok', 1_700_000_001))).toBe('ok');
    jest.advanceTimersByTime(10_000);
    expect(expiries).toEqual([]);
  });

  it('lets the level of a silent coordinator expire after three heartbeats, and says so once', () => {
    aggregator.observe(event('dead', 'hard'));
    jest.advanceTimersByTime(1000);
    aggregator.observe(event('alive', 'soft'));
    jest.advanceTimersByTime(1000);
    aggregator.observe(event('alive', 'soft'));
    jest.advanceTimersByTime(999);
    expect([aggregator.effective, expiries]).toEqual(['hard', []]);
    jest.advanceTimersByTime(1);
    expect([aggregator.effective, expiries]).toEqual(['soft', ['soft']]);
    jest.advanceTimersByTime(10_000);
    expect([aggregator.effective, expiries]).toEqual(['ok', ['soft', 'ok']]);
    expect([aggregator.size, jest.getTimerCount()]).toEqual([0, 0]);
  });

  it('keeps a level for as long as its coordinator is heard from', () => {
    for (let i = 0; i < 20; i++) {
      aggregator.observe(event('a', 'hard', 1_700_000_000 + i));
      jest.advanceTimersByTime(2900);
    }
    expect([aggregator.effective, expiries]).toEqual(['hard', []]);
  });

  it('uses one timer for any number of coordinators', () => {
    for (let i = 0; i < 50; i++) aggregator.observe(event(`c${i}`, 'hard'));
    expect(jest.getTimerCount()).toBe(1);
    aggregator[Symbol.dispose]();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('ignores an event older than the last one of the same coordinator, and takes one just as old', () => {
    aggregator.observe(event('a', 'ok', 100));
    expect(aggregator.observe(event('a', 'hard', 99.9))).toBe('ok');
    expect(aggregator.observe(event('a', 'hard', 100))).toBe('hard');
    expect(aggregator.observe(event('b', 'ok', 5))).toBe('hard');
    // An old event does not count as a sign of life either.
    jest.advanceTimersByTime(2000);
    aggregator.observe(event('a', 'hard', 99));
    jest.advanceTimersByTime(1000);
    expect(expiries).toEqual(['ok']);
  });

  it('goes by its own clock: a sender whose clock was ahead is heard again after three heartbeats', () => {
    aggregator.observe(event('a', 'hard', 9_999_999_999));
    expect(aggregator.observe(event('a', 'ok', 1_700_000_000))).toBe('hard');
    jest.advanceTimersByTime(3000);
    expect(aggregator.observe(event('a', 'soft', 1_700_000_003))).toBe('soft');
  });

  it('remembers so many coordinators, and of too many forgets the least bad and then the longest silent', () => {
    const small = new LevelAggregator({ heartbeatMs: 1000, maxCoordinators: 3 });
    for (const [id, level] of [
      ['a', 'soft'],
      ['b', 'hard'],
      ['c', 'ok'],
      ['d', 'soft'],
    ] as const) {
      small.observe(event(id, level));
    }
    expect([small.size, small.effective]).toEqual([3, 'hard']);
    for (let i = 0; i < 1000; i++) small.observe(event(`flood-${i}`, 'ok'));
    expect([small.size, small.effective]).toEqual([3, 'hard']);
    // Of a, b and d, a is forgotten for e: then b and e are left besides d.
    small.observe(event('e', 'soft'));
    small.observe(event('b', 'ok', 1_700_000_001));
    small.observe(event('d', 'ok', 1_700_000_001));
    expect(small.effective).toBe('soft');
    small.observe(event('e', 'ok', 1_700_000_001));
    expect(small.effective).toBe('ok');
  });
});

it('the effective level is always the worst of the last word of each coordinator within three heartbeats', () => {
  const steps = fc.array(
    fc.record({
      wait: fc.integer({ min: 0, max: 1500 }),
      id: fc.constantFrom('a', 'b', 'c'),
      level: fc.constantFrom('ok', 'soft', 'hard'),
      lateBy: fc.constantFrom(0, 0, 0, 1, 4),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(steps, (sent) => {
      const clock = new ManualClock();
      const aggregator = new LevelAggregator({ heartbeatMs: 1000, now: clock.now });
      const heard: { id: string; at: number; ts: number; level: BackpressureLevel }[] = [];
      for (const { wait, id, level, lateBy } of sent) {
        clock.ms += wait;
        const ts = clock.ms / 1000 - lateBy;
        const live = () => heard.filter(({ at }) => clock.ms - at < 3000);
        const isOld = live().some((other) => other.id === id && other.ts > ts);
        if (!isOld) heard.push({ id, at: clock.ms, ts, level });
        const last = ['a', 'b', 'c'].map(
          (one) => live().findLast((other) => other.id === one)?.level ?? 'ok',
        );
        const worst = last.includes('hard') ? 'hard' : last.includes('soft') ? 'soft' : 'ok';
        expect(aggregator.observe(event(id, level, ts))).toBe(worst);
        expect(aggregator.effective).toBe(worst);
      }
      aggregator[Symbol.dispose]();
    }),
    { numRuns: 300 },
  );
});
