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
    const small = new TokenBucketRateController({ maxProviders: 3, maxMet: 3, now: clock.now });
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

  it('is one of a bounded number, beyond which each is told of and rates can still be set', () => {
    const full: string[] = [];
    const small = new TokenBucketRateController({
      maxMet: 2,
      maxProviders: 2,
      onFull: (provider, limit) => full.push(`${provider} ${limit}`),
    });
    for (const name of ['a', 'b', 'c', 'd', 'a']) small.meet(name);
    expect([small.names(), full]).toEqual([
      ['a', 'b'],
      ['c 2', 'd 2'],
    ]);
    expect(small.tryAcquire('c', 5)).toEqual({ granted: true, remaining: null });
    const rate = { refillRate: 1, burst: 1 };
    small.register('c', rate);
    small.register('d', rate);
    for (const name of ['e', 'a']) expect(() => small.register(name, rate)).toThrow(TooManyProvidersError);
    expect(small.names()).toEqual(['a', 'b', 'c', 'd']);
    expect(() => small.meetForOrder('a b')).toThrow(ProviderNameError);
    expect(small.names()).toHaveLength(4);
  });
});

describe('the entries of providers that were met, when there is no room for one more', () => {
  const MINUTE = 60_000;
  const [one, other] = [{ token: 1 }, { token: 2 }];
  let clock: ManualClock;
  let controller: TokenBucketRateController;
  let lost: string[];

  beforeEach(() => {
    clock = new ManualClock();
    controller = new TokenBucketRateController({ maxMet: 4, now: clock.now });
    lost = [];
    controller.onLoss((provider) => lost.push(provider));
    for (const name of ['a', 'b', 'c', 'd']) controller.meet(name, one);
  });

  const meet = (name: string, sender: object) => {
    controller.meet(name, sender);
    return controller.names().join(' ');
  };

  it('go to others of the same sender when they were not used for a minute, the one unused the longest first', () => {
    clock.ms = MINUTE - 1;
    controller.meet('a', one);
    expect(meet('e', one)).toBe('a b c d');
    clock.ms = MINUTE;
    expect(meet('e', one)).toBe('a c d e');
    expect([meet('f', one), meet('g', one), meet('h', one)]).toEqual(['a d e f', 'a e f g', 'a e f g']);
    expect(lost).toEqual(['b', 'c', 'd']);
    clock.ms = 2 * MINUTE - 1;
    expect(meet('h', one)).toBe('e f g h');
  });

  it('let 1,000 invented names not keep a real provider without one for longer than a minute', () => {
    const many = new TokenBucketRateController({ now: clock.now });
    for (let name = 0; name < 1_500; name++) many.meet(`made-up-${name}`, one);
    many.meet('real', one);
    expect([many.has('real'), many.names()]).toMatchObject([false, { length: 1_000 }]);
    clock.ms = MINUTE;
    many.meet('real', one);
    expect([many.has('real'), many.names()]).toMatchObject([true, { length: 1_000 }]);
  });

  it('stay for the time of a cooldown and until bars were taken after it, and when a rate is set', () => {
    controller.cooldown('a', 3 * 60);
    controller.register('b', { refillRate: 1, burst: 1 });
    expect(meet('e', one)).toBe('a b c d e');
    clock.ms = MINUTE;
    expect(meet('f', one)).toBe('a b d e f');
    for (const name of ['g', 'h', 'i']) controller.meet(name, one);
    expect(controller.names()).toEqual(['a', 'b', 'f', 'g', 'h']);
    clock.ms = 5 * MINUTE;
    for (const name of ['j', 'k', 'l', 'm']) controller.meet(name, one);
    expect(controller.names()).toEqual(['a', 'b', 'j', 'k', 'l']);
    controller.recordSuccess('a');
    clock.ms = 6 * MINUTE;
    for (const name of ['n', 'o', 'p', 'q']) controller.meet(name, one);
    expect(controller.names()).toEqual(['b', 'n', 'o', 'p', 'q']);
  });

  it('go to a sender that has fewer whenever they were used, and no sender takes back what is its share', () => {
    expect(meet('e', other)).toBe('b c d e');
    expect(meet('f', other)).toBe('c d e f');
    expect(meet('g', other)).toBe('c d e f');
    expect(meet('a', one)).toBe('c d e f');
    expect(meet('h', { token: 3 })).toBe('d e f h');
  });

  it('count to the sender that used them last', () => {
    clock.ms = 1_000;
    for (const name of ['a', 'b']) controller.meet(name, other);
    expect(meet('e', other)).toBe('a b c d');
    clock.ms = 2_000;
    controller.meet('c', other);
    expect(meet('e', one)).toBe('b c d e');
  });

  it('go to a provider about which an order came whenever they were used, those that are held last', () => {
    controller.cooldown('a', 60);
    controller.meetForOrder('e', one);
    expect(controller.names()).toEqual(['a', 'c', 'd', 'e']);
    for (const name of ['c', 'd', 'e']) controller.cooldown(name, 60);
    controller.meetForOrder('f', other);
    expect(controller.names()).toHaveLength(4);
    expect(controller.has('f')).toBe(true);
  });

  it('leave a scale behind that can be changed, and that they have again', async () => {
    await controller.apply(adjustment('a', 0.25, 'soft'));
    expect(meet('e', other)).toBe('b c d e');
    expect(controller.scaled()).toEqual(['b', 'c', 'd', 'e', 'a']);
    const heard: string[] = [];
    controller.onAdjustment(({ provider, scale, reason }) => heard.push(`${provider} ${scale} ${reason}`));
    await controller.apply(adjustment('a', 0.25, 'soft'));
    await controller.apply(adjustment('a', 0.5, 'soft'));
    expect([heard, lost]).toEqual([['a 0.5 soft'], []]);
    expect(meet('a', other)).toBe('c d e a');
    expect(controller.entry('a')).toMatchObject({ scale: 0.5, pressure: 'soft' });
  });

  it('leave no more than so many scales: of others readers are told the full rate', async () => {
    const heard: string[] = [];
    for (const name of ['a', 'b', 'c', 'd']) await controller.apply(adjustment(name, 0, 'hard'));
    controller.onAdjustment(({ provider, scale, reason }) => heard.push(`${provider} ${scale} ${reason}`));
    for (const name of ['e', 'f', 'g', 'h']) {
      controller.meetForOrder(name, one);
      await controller.apply(adjustment(name, 0.5, 'soft'));
    }
    expect([controller.scaled(), lost]).toEqual([['e', 'f', 'g', 'h', 'a', 'b', 'c', 'd'], []]);
    controller.meetForOrder('i', one);
    expect([controller.scaled(), lost]).toEqual([['f', 'g', 'h', 'i', 'b', 'c', 'd', 'e'], ['a']]);
    expect(heard.at(-1)).toBe('a 1 ok');
  });
});
