import { describe, expect, it } from '@jest/globals';
import { RetryPolicy } from '../../src/coordinator/index.js';

describe('RetryPolicy', () => {
  it('doubles its bound from 50 ms up to 2 s by default', () => {
    const policy = new RetryPolicy({ jitter: false });
    expect([1, 2, 3, 4, 5, 6, 7, 5000].map((n) => policy.delayMs(n))).toEqual([
      50, 100, 200, 400, 800, 1600, 2000, 2000,
    ]);
    expect(policy.maxAttempts).toBe(5);
  });

  it('draws evenly from nothing to the bound', () => {
    expect(new RetryPolicy({ random: () => 0 }).delayMs(3)).toBe(0);
    expect(new RetryPolicy({ random: () => 0.5 }).delayMs(3)).toBe(100);
    const draws = Array.from({ length: 4000 }, () => new RetryPolicy().delayMs(3));
    expect(Math.min(...draws)).toBeLessThan(10);
    expect(Math.max(...draws)).toBeGreaterThan(190);
    expect(Math.max(...draws)).toBeLessThan(200);
    expect(Math.abs(draws.reduce((a, b) => a + b) / draws.length - 100)).toBeLessThan(10);
  });

  it('waits longer, with the same growth, where it is asked to', () => {
    const policy = new RetryPolicy({ jitter: false, maxAttempts: 3 }).withLongerWaits(10);
    expect([1, 2, 7, 10, 5000].map((n) => policy.delayMs(n))).toEqual([50, 100, 3_200, 20_000, 20_000]);
    expect(policy.maxAttempts).toBe(3);
  });

  it('refuses settings that make no sense', () => {
    for (const bad of [
      { maxAttempts: 0 },
      { multiplier: 0.5 },
      { initialBackoffMs: -1 },
      { maxBackoffMs: 10 },
    ]) {
      expect(() => new RetryPolicy(bad)).toThrow(RangeError);
    }
  });
});
