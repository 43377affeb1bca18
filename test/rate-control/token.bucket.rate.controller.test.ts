import 'reflect-metadata';

import { beforeEach, describe, expect, it } from '@jest/globals';

import {
  ProviderNameError,
  TokenBucketRateController,
  TooManyProvidersError,
  UnknownProviderError,
} from '../../src/rate-control/index.js';
import { adjustment, ManualClock } from './feedback.js';

describe('TokenBucketRateController', () => {
  let clock: ManualClock;
  let controller: TokenBucketRateController;

  beforeEach(() => {
    clock = new ManualClock();
    controller = new TokenBucketRateController({ now: clock.now });
    controller.register('ibkr', { refillRate: 100, burst: 50 });
  });

  it('limits registered providers, each by its own bucket, and nobody else', () => {
    controller.register('polygon', { refillRate: 10, burst: 5 });
    expect(controller.tryAcquire('ibkr', 40)).toEqual({ granted: true, remaining: 10 });
    expect(controller.tryAcquire('ibkr', 20)).toEqual({
      granted: false,
      retryAfterMs: 100,
      reason: 'tokens',
    });
    expect(controller.tryAcquire('polygon', 5)).toEqual({ granted: true, remaining: 0 });
    expect(controller.tryAcquire('other', 1_000_000)).toEqual({ granted: true, remaining: null });
  });

  it('shows how every provider stands', () => {
    controller.tryAcquire('ibkr', 20);
    clock.ms = 15;
    expect(controller.entries()).toEqual([
      {
        provider: 'ibkr',
        refill_rate: 100,
        burst: 50,
        scale: 1,
        pressure: 'ok',
        tokens: 31,
        circuit_state: 'closed',
        cooldown_until: null,
      },
    ]);
    expect(controller.entry('other')).toBeUndefined();
    expect([controller.has('ibkr'), controller.has('other'), controller.names()]).toEqual([
      true,
      false,
      ['ibkr'],
    ]);
  });

  it('scales the rate as adjusted, at once; 0 pauses', async () => {
    controller.tryAcquire('ibkr', 50);
    const applied = controller.apply(adjustment('ibkr', 0.5, 'soft'));
    clock.ms = 100;
    expect(controller.entry('ibkr')).toMatchObject({ tokens: 5, scale: 0.5, pressure: 'soft' });
    await controller.apply(adjustment('ibkr', 0, 'hard'));
    clock.ms = 10_000;
    expect(controller.tryAcquire('ibkr', 1)).toEqual({
      granted: false,
      retryAfterMs: 5000,
      reason: 'paused',
    });
    await controller.apply(adjustment('ibkr', 1, 'ok'));
    expect(controller.tryAcquire('ibkr', 5).granted).toBe(true);
    await applied;
  });

  it('tells of each change once, and not of adjustments that change nothing', async () => {
    const heard: string[] = [];
    const subscription = controller.onAdjustment(({ provider, scale, reason }) =>
      heard.push(`${provider} ${scale} ${reason}`),
    );
    await controller.apply(adjustment('ibkr', 1, 'ok'));
    await controller.apply(adjustment('ibkr', 0.5, 'soft'));
    await controller.apply(adjustment('ibkr', 0.5, 'soft'));
    await controller.apply(adjustment('ibkr', 0.5, 'hard'));
    await controller.apply(adjustment('later', 0, 'hard'));
    await controller.apply(adjustment('later', 0, 'hard'));
    await controller.apply(adjustment('later', 1, 'ok'));
    await controller.apply(adjustment('later', 1, 'ok'));
    subscription[Symbol.dispose]();
    await controller.apply(adjustment('ibkr', 0, 'hard'));
    expect(heard).toEqual(['ibkr 0.5 soft', 'ibkr 0.5 hard', 'later 0 hard', 'later 1 ok']);
  });

  it('starts a provider with the scale that it was given before it was registered', async () => {
    await controller.apply(adjustment('later', 0, 'hard'));
    const heard: unknown[] = [];
    controller.onRegistration((name) => heard.push([name, controller.entry(name)?.scale]));
    expect(controller.register('later', { refillRate: 1, burst: 1 })).toBe(true);
    expect(heard).toEqual([['later', 0]]);
    expect(controller.tryAcquire('later', 1)).toMatchObject({ granted: false, reason: 'paused' });
  });

  it('changes the rate of a provider that it knows, and keeps its scale and what it earned', async () => {
    controller.tryAcquire('ibkr', 50);
    await controller.apply(adjustment('ibkr', 0.5));
    clock.ms = 200;
    expect(controller.register('ibkr', { refillRate: 1000, burst: 500 })).toBe(false);
    clock.ms = 300;
    expect(controller.entry('ibkr')).toMatchObject({ refill_rate: 1000, burst: 500, scale: 0.5, tokens: 60 });
  });

  it('gives back rows that were granted and not used, and does not mind for whom', () => {
    controller.tryAcquire('ibkr', 50);
    controller.giveBack('ibkr', 30);
    controller.giveBack('other', 30);
    expect(controller.tryAcquire('ibkr', 30).granted).toBe(true);
  });

  it('refuses names and rates that cannot be, and rejects a scale out of range', async () => {
    for (const name of ['', 'a b', 'a:b', 'ü', 'x'.repeat(65)]) {
      expect(() => controller.register(name, { refillRate: 1, burst: 1 })).toThrow(ProviderNameError);
    }
    expect(() => controller.register('ok', { refillRate: 0, burst: 1 })).toThrow(RangeError);
    expect(() => controller.register('ibkr', { refillRate: 1, burst: 0 })).toThrow(RangeError);
    expect(() => controller.tryAcquire('ibkr', 0)).toThrow(RangeError);
    const wrong = { provider: 'ibkr', scale: 2, reason: 'ok', ts: 1 } as const;
    await expect(controller.apply(wrong)).rejects.toThrow(RangeError);
    await expect(controller.apply({ ...wrong, provider: 'other' })).rejects.toThrow(RangeError);
    expect(controller.entries()).toHaveLength(1);
    expect(controller.entry('ibkr')).toMatchObject({ scale: 1, burst: 50 });
  });

  it('bounds the providers that it registers and those that it remembers', async () => {
    const small = new TokenBucketRateController({ maxProviders: 3, now: clock.now });
    const rate = { refillRate: 1, burst: 1 };
    for (let i = 0; i < 10; i++) await small.apply(adjustment(`p${i}`, 0));
    for (const name of ['p0', 'p9', 'p8']) small.register(name, rate);
    expect(small.entries().map(({ provider, scale }) => [provider, scale])).toEqual([
      ['p0', 1],
      ['p9', 0],
      ['p8', 0],
    ]);
    expect(() => small.register('p7', rate)).toThrow(TooManyProvidersError);
    expect(() => small.register('p7', rate)).toThrow('3 providers');
    expect(small.register('p9', { refillRate: 2, burst: 2 })).toBe(false);
  });
});

describe('the cooldown of a provider', () => {
  let clock: ManualClock;
  let controller: TokenBucketRateController;

  beforeEach(() => {
    clock = new ManualClock();
    controller = new TokenBucketRateController({ now: clock.now });
    controller.register('ibkr', { refillRate: 100, burst: 50 });
  });

  it('pauses it for that time, in which it earns nothing, and then lets it go on', () => {
    controller.tryAcquire('ibkr', 50);
    controller.cooldown('ibkr', 2);
    expect(controller.tryAcquire('ibkr', 10)).toEqual({
      granted: false,
      retryAfterMs: 2100,
      reason: 'cooldown',
    });
    const until = controller.entry('ibkr')?.cooldown_until ?? 0;
    expect(Math.abs(until - (Date.now() / 1000 + 2))).toBeLessThan(1);
    clock.ms = 2100;
    expect(controller.entry('ibkr')).toMatchObject({ cooldown_until: null, tokens: 10 });
    expect(controller.tryAcquire('ibkr', 10).granted).toBe(true);
  });

  it('is not shortened by a shorter one, but ended by 0', () => {
    controller.cooldown('ibkr', 60);
    controller.cooldown('ibkr', 1);
    expect(controller.tryAcquire('ibkr', 1)).toMatchObject({ retryAfterMs: 60_000 });
    controller.cooldown('ibkr', 90);
    expect(controller.tryAcquire('ibkr', 1)).toMatchObject({ retryAfterMs: 90_000 });
    controller.cooldown('ibkr', 0);
    expect(controller.tryAcquire('ibkr', 1).granted).toBe(true);
  });

  it('needs a provider that is registered and a time that can be', () => {
    expect(() => controller.cooldown('other', 1)).toThrow(UnknownProviderError);
    expect(() => controller.cooldown('ibkr', -1)).toThrow(RangeError);
    expect(() => controller.cooldown('ibkr', NaN)).toThrow(RangeError);
  });
});

describe('the circuit of a provider', () => {
  it('refuses after 5 failures in a row, probes once after 10 s, and grants again when that went well', () => {
    const clock = new ManualClock();
    const controller = new TokenBucketRateController({ now: clock.now });
    controller.register('ibkr', { refillRate: 1000, burst: 1000 });
    controller.register('polygon', { refillRate: 1000, burst: 1000 });
    for (let i = 0; i < 5; i++) controller.recordFailure('ibkr');
    controller.recordFailure('other');
    expect(controller.tryAcquire('ibkr', 1)).toEqual({
      granted: false,
      retryAfterMs: 10_000,
      reason: 'circuit_open',
    });
    expect(controller.tryAcquire('polygon', 1).granted).toBe(true);

    clock.ms = 10_000;
    expect(controller.entry('ibkr')?.circuit_state).toBe('half_open');
    const outcomes = Array.from({ length: 100 }, () => controller.tryAcquire('ibkr', 1));
    expect(outcomes.filter(({ granted }) => granted)).toHaveLength(1);
    expect(controller.entry('ibkr')).toMatchObject({ circuit_state: 'half_open', tokens: 999 });

    controller.recordSuccess('ibkr');
    expect(controller.entry('ibkr')?.circuit_state).toBe('closed');
    expect(controller.tryAcquire('ibkr', 1).granted).toBe(true);
  });

  it('does not spend the probe on an acquire that the bucket refuses', () => {
    const clock = new ManualClock();
    const controller = new TokenBucketRateController({ now: clock.now });
    controller.register('ibkr', { refillRate: 1, burst: 20 });
    controller.tryAcquire('ibkr', 20);
    for (let i = 0; i < 5; i++) controller.recordFailure('ibkr');
    clock.ms = 10_000;
    expect(controller.tryAcquire('ibkr', 15)).toMatchObject({ granted: false, reason: 'tokens' });
    expect(controller.tryAcquire('ibkr', 10).granted).toBe(true);
    expect(controller.tryAcquire('ibkr', 1)).toMatchObject({ granted: false, reason: 'circuit_open' });
  });
});

describe('a provider that was only met', () => {
  let clock: ManualClock;
  let controller: TokenBucketRateController;

  beforeEach(() => {
    clock = new ManualClock();
    controller = new TokenBucketRateController({ now: clock.now });
  });

  it('has an entry without a rate, once, and is told of as a new one', () => {
    const heard: string[] = [];
    controller.onRegistration((name) => heard.push(name));
    controller.meet('ibkr');
    controller.meet('ibkr');
    expect(heard).toEqual(['ibkr']);
    expect(controller.entries()).toEqual([
      {
        provider: 'ibkr',
        refill_rate: null,
        burst: null,
        scale: 1,
        pressure: 'ok',
        tokens: null,
        circuit_state: 'closed',
        cooldown_until: null,
      },
    ]);
    expect(() => controller.meet('a b')).toThrow(ProviderNameError);
  });

  it('takes over the scale that it was given before, shows each new one, and is granted all the same', async () => {
    await controller.apply(adjustment('ibkr', 0.5, 'soft'));
    controller.meet('ibkr');
    expect(controller.entry('ibkr')).toMatchObject({ scale: 0.5, pressure: 'soft' });
    await controller.apply(adjustment('ibkr', 0, 'hard'));
    expect(controller.entry('ibkr')).toMatchObject({ scale: 0, pressure: 'hard' });
    expect(controller.isFree('ibkr')).toBe(true);
    expect(controller.tryAcquire('ibkr', 1e9)).toEqual({ granted: true, remaining: null });
  });

  it('is limited once a rate is set, at the scale that it has', async () => {
    controller.meet('ibkr');
    await controller.apply(adjustment('ibkr', 0.5, 'soft'));
    expect(controller.register('ibkr', { refillRate: 100, burst: 50 })).toBe(false);
    expect(controller.isFree('ibkr')).toBe(false);
    expect(controller.tryAcquire('ibkr', 50).granted).toBe(true);
    expect(controller.tryAcquire('ibkr', 10)).toMatchObject({ granted: false, retryAfterMs: 200 });
  });

  it('is free but for a cooldown, until it has delivered again', () => {
    expect(controller.isFree('ibkr')).toBe(true);
    controller.meet('ibkr');
    controller.cooldown('ibkr', 1);
    expect(controller.isFree('ibkr')).toBe(false);
    expect(controller.tryAcquire('ibkr', 1)).toMatchObject({ granted: false, reason: 'cooldown' });
    // Bars that were let in before say nothing of the pause.
    controller.recordSuccess('ibkr');
    expect(controller.isFree('ibkr')).toBe(false);
    controller.cooldown('ibkr', 1);
    clock.ms = 1_000;
    expect(controller.isFree('ibkr')).toBe(false);
    expect(controller.tryAcquire('ibkr', 1).granted).toBe(true);
    controller.recordSuccess('ibkr');
    expect(controller.isFree('ibkr')).toBe(true);
  });

  it('is one of a bounded number, beyond which it is said once and rates can still be set', () => {
    const full: string[] = [];
    const small = new TokenBucketRateController({
      maxMet: 2,
      maxProviders: 2,
      onFull: (provider, limit) => full.push(`${provider} ${limit}`),
    });
    for (const name of ['a', 'b', 'c', 'd', 'a']) small.meet(name);
    expect([small.names(), full]).toEqual([['a', 'b'], ['c 2']]);
    expect(small.tryAcquire('c', 5)).toEqual({ granted: true, remaining: null });
    const rate = { refillRate: 1, burst: 1 };
    small.register('c', rate);
    small.register('d', rate);
    expect(() => small.register('e', rate)).toThrow(TooManyProvidersError);
    expect(small.names()).toEqual(['a', 'b', 'c', 'd']);
  });
});
