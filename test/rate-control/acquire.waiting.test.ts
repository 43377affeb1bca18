import 'reflect-metadata';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import { type AcquireOptions, TokenBucketRateController } from '../../src/rate-control/index.js';
import { adjustment, settle } from './feedback.js';

describe('an acquire that waits', () => {
  let controller: TokenBucketRateController;
  let ends: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    controller = new TokenBucketRateController();
    controller.register('ibkr', { refillRate: 100, burst: 50 });
    controller.tryAcquire('ibkr', 50);
    ends = [];
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Starts an acquire and notes its end with the time. */
  function start(name: string, rows: number, options: AcquireOptions = { maxWaitMs: 10_000 }): void {
    const startedAt = performance.now();
    const note = (what: string) => ends.push(`${name} ${what} ${Math.round(performance.now() - startedAt)}`);
    controller.acquire('ibkr', rows, options).then(
      (result) => note(result.granted ? 'granted' : `${result.reason}:${result.retryAfterMs}`),
      (error: unknown) => note(`rejected:${String(error)}`),
    );
  }

  it('is granted as soon as its rows are earned, by one timer and not by asking again and again', async () => {
    start('a', 20);
    expect(jest.getTimerCount()).toBe(2);
    await jest.advanceTimersByTimeAsync(199);
    expect(ends).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(ends).toEqual(['a granted 200']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('comes first if it came first, though a later one wants less, and newcomers do not overtake', async () => {
    start('a', 40);
    start('b', 1);
    await jest.advanceTimersByTimeAsync(300);
    expect(controller.tryAcquire('ibkr', 1)).toEqual({ granted: false, retryAfterMs: 120, reason: 'tokens' });
    start('c', 9);
    await jest.advanceTimersByTimeAsync(200);
    expect(ends).toEqual(['a granted 400', 'b granted 410', 'c granted 200']);
  });

  it('is refused at once when the wait is known to be too long, with the wait', async () => {
    start('a', 40, { maxWaitMs: 1000 });
    start('b', 50, { maxWaitMs: 899 });
    start('c', 50, { maxWaitMs: 900 });
    start('d', 1);
    start('e', 1, {});
    await settle();
    expect(ends).toEqual(['b tokens:900 0', 'e tokens:920 0']);
    await jest.advanceTimersByTimeAsync(1000);
    expect(ends.slice(2)).toEqual(['a granted 400', 'c granted 900', 'd granted 910']);
  });

  it('wakes when the scale changes, up or down', async () => {
    start('a', 40);
    await controller.apply(adjustment('ibkr', 0.1));
    await jest.advanceTimersByTimeAsync(1000);
    expect(ends).toEqual([]);
    await controller.apply(adjustment('ibkr', 1, 'ok'));
    await jest.advanceTimersByTimeAsync(300);
    expect(ends).toEqual(['a granted 1300']);
  });

  it('wakes when the rate changes', async () => {
    start('a', 40);
    controller.register('ibkr', { refillRate: 4000, burst: 50 });
    await jest.advanceTimersByTimeAsync(10);
    expect(ends).toEqual(['a granted 10']);
  });

  it('waits through a pause without a timer of its own, and is granted what was saved when it ends', async () => {
    await jest.advanceTimersByTimeAsync(500);
    await controller.apply(adjustment('ibkr', 0, 'hard'));
    start('a', 50);
    start('b', 10, { maxWaitMs: 2000 });
    expect(jest.getTimerCount()).toBe(2);
    await jest.advanceTimersByTimeAsync(3000);
    expect(ends).toEqual(['b paused:5000 2000']);
    await controller.apply(adjustment('ibkr', 1, 'ok'));
    await settle();
    expect(ends).toEqual(['b paused:5000 2000', 'a granted 3000']);
  });

  it('hears when its time is up how long it would take from now, and lets those behind it go', async () => {
    start('a', 50, { maxWaitMs: 600 });
    start('b', 20);
    await controller.apply(adjustment('ibkr', 0.5));
    await jest.advanceTimersByTimeAsync(600);
    // 30 rows were earned: 20 go to b, and a needs 40 more.
    expect(ends).toEqual(['b granted 600', 'a tokens:800 600']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('rejects with the reason when it is aborted, takes nothing, and lets those behind it go', async () => {
    const abort = new AbortController();
    start('a', 50, { maxWaitMs: 10_000, signal: abort.signal });
    start('b', 20);
    await jest.advanceTimersByTimeAsync(250);
    abort.abort('gone');
    await settle();
    expect(ends).toEqual(['a rejected:gone 250', 'b granted 250']);
    start('c', 1, { maxWaitMs: 10_000, signal: abort.signal });
    await settle();
    expect(ends.at(-1)).toBe('c rejected:gone 0');
    expect(controller.entry('ibkr')?.tokens).toBe(5);
  });

  it('stays granted when it is aborted afterwards', async () => {
    const abort = new AbortController();
    const acquired = controller.acquire('ibkr', 10, { maxWaitMs: 1000, signal: abort.signal });
    jest.advanceTimersByTime(100);
    abort.abort('too late');
    await expect(acquired).resolves.toMatchObject({ granted: true });
    expect(controller.entry('ibkr')?.tokens).toBe(0);
  });

  it('waits for a cooldown and for the probe of a circuit', async () => {
    controller.cooldown('ibkr', 1);
    start('a', 10);
    await jest.advanceTimersByTimeAsync(1100);
    expect(ends).toEqual(['a granted 1100']);

    for (let i = 0; i < 5; i++) controller.recordFailure('ibkr');
    start('b', 10, { maxWaitMs: 20_000 });
    start('c', 10, { maxWaitMs: 20_000 });
    await jest.advanceTimersByTimeAsync(11_000);
    expect(ends.slice(1)).toEqual(['b granted 10000']);
    controller.recordSuccess('ibkr');
    await settle();
    expect(ends.slice(2)).toEqual(['c granted 11000']);
  });

  it('goes ahead with rows that another gives back', async () => {
    start('a', 40);
    controller.giveBack('ibkr', 40);
    await settle();
    expect(ends).toEqual(['a granted 0']);
  });

  it('takes its place only while there are places', async () => {
    const small = new TokenBucketRateController({ maxWaiting: 1 });
    small.register('ibkr', { refillRate: 100, burst: 50 });
    small.tryAcquire('ibkr', 50);
    const first = small.acquire('ibkr', 10, { maxWaitMs: 10_000 });
    expect(await small.acquire('ibkr', 10, { maxWaitMs: 10_000 })).toMatchObject({
      granted: false,
      retryAfterMs: 200,
    });
    await jest.advanceTimersByTimeAsync(100);
    expect((await first).granted).toBe(true);
  });

  it('is refused when the controller closes, which leaves no timer and lets nobody wait any more', async () => {
    start('a', 40);
    start('b', 1);
    controller.close();
    start('c', 1);
    await settle();
    expect(ends.sort()).toEqual(['a tokens:410 0', 'b tokens:10 0', 'c tokens:10 0']);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('acquires one after the other in real time', () => {
  // How exactly the rate is held is tested with a clock that no other program can hold up.
  it('get the rate at scales 1, 0.5 and 0.1 and never more, and nothing at 0', async () => {
    const controller = new TokenBucketRateController();
    const rows = 50;
    const scales = [1, 0.5, 0.1, 0];
    const rates = scales.map(async (scale) => {
      const provider = `p${scale}`;
      controller.register(provider, { refillRate: 10_000, burst: 1000 });
      await controller.apply(adjustment(provider, scale));
      controller.tryAcquire(provider, 1000);
      const startedAt = performance.now();
      let granted = 0;
      // The time is taken at a grant: what is granted late was earned in time.
      let lastMs = 1;
      while (performance.now() - startedAt < 2000) {
        const result = await controller.acquire(provider, rows, { maxWaitMs: 500 });
        if (!result.granted) continue;
        granted += rows;
        lastMs = performance.now() - startedAt;
      }
      return granted / (lastMs / 1000);
    });
    const [full = 0, half = 0, tenth = 0, none] = await Promise.all(rates);
    controller.close();
    for (const share of [full / 10_000, half / 5_000, tenth / 1_000]) {
      expect(share).toBeLessThan(1.02);
      expect(share).toBeGreaterThan(0.5);
    }
    expect(none).toBe(0);
  });
});
