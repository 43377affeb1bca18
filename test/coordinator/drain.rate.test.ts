import { describe, expect, it } from '@jest/globals';
import { DrainRate } from '../../src/coordinator/drain.rate.js';

function rateAt() {
  const clock = { ms: 0 };
  return { clock, rate: new DrainRate(() => clock.ms) };
}

describe('DrainRate', () => {
  it('finds a steady rate from the first seconds on', () => {
    const { clock, rate } = rateAt();
    rate.busy();
    for (let i = 0; i < 200; i++) {
      clock.ms += 100;
      rate.add(100);
      if (i >= 10) expect(rate.secondsFor(10_000)).toBeCloseTo(10, -0.5);
    }
  });

  it('follows a rate that changes, within a few seconds', () => {
    const { clock, rate } = rateAt();
    rate.busy();
    for (let i = 0; i < 300; i++) {
      clock.ms += 100;
      rate.add(1000);
    }
    for (let i = 0; i < 300; i++) {
      clock.ms += 100;
      rate.add(100);
    }
    expect(rate.secondsFor(1000)).toBeGreaterThan(0.9);
    expect(rate.secondsFor(1000)).toBeLessThan(1.1);
  });

  it('leaves idle time out', () => {
    const { clock, rate } = rateAt();
    rate.busy();
    clock.ms += 1000;
    rate.add(1000);
    rate.idle();
    const before = rate.secondsFor(1000);
    clock.ms += 3_600_000;
    expect(rate.secondsFor(1000)).toBe(before);
    rate.busy();
    clock.ms += 10_000;
    expect(rate.secondsFor(1000)).toBeGreaterThan(5);
  });

  it('answers with the time spent in vain while nothing was ever finished', () => {
    const { clock, rate } = rateAt();
    expect(rate.secondsFor(1000)).toBe(0);
    rate.busy();
    clock.ms += 7000;
    expect(rate.secondsFor(1000)).toBe(7);
  });
});
