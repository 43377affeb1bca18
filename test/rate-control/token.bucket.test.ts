import { beforeEach, describe, expect, it } from '@jest/globals';

import { TokenBucket } from '../../src/rate-control/token.bucket.js';
import { ManualClock } from './feedback.js';

describe('TokenBucket', () => {
  let clock: ManualClock;
  let bucket: TokenBucket;

  beforeEach(() => {
    clock = new ManualClock();
    bucket = new TokenBucket({ refillRate: 100, burst: 50, now: clock.now });
  });

  it('starts full, and is never fuller than its burst', () => {
    clock.ms = 60_000;
    expect(bucket.tokens).toBe(50);
    expect(bucket.tryTake(50)).toEqual({ granted: true, remaining: 0 });
    expect(bucket.tryTake(1)).toEqual({ granted: false, retryAfterMs: 10, reason: 'tokens' });
  });

  it('refuses with a time after which it grants, and not a millisecond earlier', () => {
    bucket.tryTake(50);
    clock.ms = 3;
    expect(bucket.tryTake(20)).toEqual({ granted: false, retryAfterMs: 197, reason: 'tokens' });
    clock.ms = 199;
    expect(bucket.tryTake(20).granted).toBe(false);
    clock.ms = 200;
    expect(bucket.tryTake(20)).toEqual({ granted: true, remaining: 0 });
  });

  it('says the wait at the present scale', () => {
    bucket.tryTake(50);
    bucket.scale = 0.1;
    expect(bucket.tryTake(10)).toMatchObject({ granted: false, retryAfterMs: 1000 });
    bucket.scale = 1;
    expect(bucket.tryTake(10)).toMatchObject({ granted: false, retryAfterMs: 100 });
  });

  it('grants nothing at scale 0, not even what it has, and says that the wait is not known', () => {
    bucket.scale = 0;
    clock.ms = 10_000;
    expect(bucket.tryTake(1)).toEqual({ granted: false, retryAfterMs: 5000, reason: 'paused' });
    expect(bucket.tokens).toBe(50);
    bucket.scale = 1;
    expect(bucket.tryTake(50).granted).toBe(true);
  });

  it('settles at the old scale before it takes the new one', () => {
    bucket.tryTake(50);
    clock.ms = 200;
    bucket.scale = 0;
    expect(bucket.tokens).toBe(20);
    clock.ms = 5000;
    bucket.scale = 0.5;
    expect(bucket.tokens).toBe(20);
    clock.ms = 5100;
    expect(bucket.tokens).toBe(25);
  });

  it('settles at the old rate before it takes the new one, and has to earn a larger burst', () => {
    bucket.tryTake(50);
    clock.ms = 100;
    bucket.update({ refillRate: 1000, burst: 500 });
    expect(bucket.tokens).toBe(10);
    clock.ms = 200;
    expect(bucket.tokens).toBe(110);
    bucket.update({ refillRate: 1000, burst: 60 });
    expect(bucket.tokens).toBe(60);
  });

  it('grants more than its burst when it is full, and earns the debt before it grants again', () => {
    bucket.tryTake(1);
    expect(bucket.tryTake(200)).toEqual({ granted: false, retryAfterMs: 10, reason: 'tokens' });
    clock.ms = 10;
    expect(bucket.tryTake(200)).toEqual({ granted: true, remaining: 0 });
    expect(bucket.tokens).toBe(-150);
    expect(bucket.tryTake(1)).toMatchObject({ granted: false, retryAfterMs: 1510 });
    clock.ms = 1520;
    expect(bucket.tryTake(1).granted).toBe(true);
  });

  it('earns and grants nothing while it cools down, and 0 ends that', () => {
    bucket.tryTake(30);
    bucket.coolDown(1000);
    expect(bucket.tryTake(20)).toEqual({ granted: false, retryAfterMs: 1000, reason: 'cooldown' });
    expect(bucket.tryTake(30)).toMatchObject({ retryAfterMs: 1100 });
    clock.ms = 1100;
    expect(bucket.tokens).toBe(30);
    bucket.coolDown(1000);
    expect(bucket.cooldownMs).toBe(1000);
    bucket.coolDown(0);
    expect(bucket.tryTake(30).granted).toBe(true);
  });

  it('takes back what was not used, up to its burst', () => {
    bucket.tryTake(30);
    bucket.giveBack(20);
    expect(bucket.tokens).toBe(40);
    bucket.giveBack(20);
    expect(bucket.tokens).toBe(50);
  });

  it('never names a wait that is not finite, however small the scale', () => {
    bucket.tryTake(50);
    bucket.scale = Number.MIN_VALUE;
    expect(bucket.tryTake(50)).toMatchObject({ granted: false, retryAfterMs: 86_400_000 });
  });

  it('earns nothing when the clock goes back, and nothing twice when it comes round again', () => {
    clock.ms = 1000;
    bucket.tryTake(50);
    clock.ms = 500;
    bucket.scale = 0.5;
    clock.ms = 1000;
    expect(bucket.tokens).toBe(0);
  });

  it.each([
    ['a refill rate of 0', () => new TokenBucket({ refillRate: 0, burst: 1 })],
    ['a refill rate that is no number', () => new TokenBucket({ refillRate: NaN, burst: 1 })],
    ['a refill rate without end', () => new TokenBucket({ refillRate: Infinity, burst: 1 })],
    ['a burst below 1', () => new TokenBucket({ refillRate: 1, burst: 0.5 })],
    ['a take of 0 rows', () => bucket.tryTake(0)],
    ['a take of half a row', () => bucket.tryTake(0.5)],
    ['a scale above 1', () => (bucket.scale = 1.01)],
    ['a scale that is no number', () => (bucket.scale = NaN)],
    ['a cooldown below 0', () => bucket.coolDown(-1)],
    ['a cooldown without end', () => bucket.coolDown(Infinity)],
  ])('refuses %s with a RangeError', (_what, call) => {
    expect(call).toThrow(RangeError);
  });
});

describe('a TokenBucket without a rate', () => {
  it('grants whatever is asked for at every scale, and nothing while it cools down', () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ now: clock.now });
    expect(bucket.hasRate).toBe(false);
    for (const scale of [1, 0.5, 0]) {
      bucket.scale = scale;
      expect(bucket.tryTake(1e9)).toEqual({ granted: true, remaining: null });
    }
    bucket.coolDown(1_000);
    clock.ms = 400;
    expect(bucket.tryTake(1)).toEqual({ granted: false, retryAfterMs: 600, reason: 'cooldown' });
    clock.ms = 1_000;
    bucket.giveBack(5);
    expect(bucket.tryTake(1).granted).toBe(true);
  });

  it('keeps scale and cooldown when a rate is set, and begins with a full burst', () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ now: clock.now });
    bucket.scale = 0.5;
    bucket.tryTake(1_000);
    bucket.coolDown(1_000);
    clock.ms = 500;
    bucket.update({ refillRate: 100, burst: 50 });
    expect([bucket.hasRate, bucket.tokens, bucket.scale, bucket.cooldownMs]).toEqual([true, 50, 0.5, 500]);
    clock.ms = 1_000;
    bucket.tryTake(50);
    clock.ms = 1_100;
    expect(bucket.tokens).toBe(5);
  });

  it('does not come of half a rate', () => {
    expect(() => new TokenBucket({ burst: 5 })).toThrow('refill rate');
    expect(() => new TokenBucket({ refillRate: 5 })).toThrow('burst');
  });
});
