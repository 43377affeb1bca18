import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { TokenBucket } from '../../src/rate-control/token.bucket.js';
import { ManualClock } from './feedback.js';

const UNITS = 10_000;

/**
 * What the bucket should do, in whole numbers: time in milliseconds, tokens in ten-thousandths of a row and the
 * scale in tenths, so that every millisecond earns a whole number of units.
 */
class Model {
  units: number;
  tenths = 10;
  cooling = 0;

  constructor(
    public rate: number,
    public burst: number,
  ) {
    this.units = burst * UNITS;
  }

  advance(ms: number): void {
    const idle = Math.min(ms, this.cooling);
    this.cooling -= idle;
    this.units = Math.min(this.burst * UNITS, this.units + (ms - idle) * this.perMs);
  }

  get perMs(): number {
    return this.rate * this.tenths;
  }

  /** Milliseconds until a take is granted if nothing changes; undefined while paused. */
  waitOf(rows: number): number | undefined {
    if (this.tenths === 0) return undefined;
    const missing = Math.max(0, Math.min(rows, this.burst) * UNITS - this.units);
    return this.cooling + Math.ceil(missing / this.perMs);
  }
}

interface Real {
  readonly clock: ManualClock;
  readonly bucket: TokenBucket;
}

type Command = fc.Command<Model, Real>;

function command(name: string, run: (model: Model, real: Real) => void): Command {
  return {
    check: () => true,
    toString: () => name,
    run: (model, real) => {
      run(model, real);
      expect(real.bucket.tokens).toBeCloseTo(model.units / UNITS, 3);
      expect(real.bucket.tokens).toBeLessThanOrEqual(model.burst);
    },
  };
}

const rate = fc.integer({ min: 1, max: 5000 });
const burst = fc.integer({ min: 1, max: 3000 });

const commands = [
  fc.integer({ min: 0, max: 3000 }).map((ms) =>
    command(`advance ${ms}`, (model, { clock }) => {
      model.advance(ms);
      clock.ms += ms;
    }),
  ),
  fc.integer({ min: 1, max: 4000 }).map((rows) =>
    command(`take ${rows}`, (model, { bucket }) => {
      const wait = model.waitOf(rows);
      const result = bucket.tryTake(rows);
      expect(result.granted).toBe(wait === 0);
      if (result.granted) model.units -= rows * UNITS;
      else if (wait === undefined) expect(result.reason).toBe('paused');
      else {
        expect(result.reason).toBe(model.cooling > 0 ? 'cooldown' : 'tokens');
        // Floating point may round up to the next millisecond; never down.
        expect([wait, wait + 1]).toContain(result.retryAfterMs);
      }
    }),
  ),
  fc.constantFrom(0, 1, 3, 5, 10).map((tenths) =>
    command(`scale ${tenths / 10}`, (model, { bucket }) => {
      model.tenths = tenths;
      bucket.scale = tenths / 10;
    }),
  ),
  fc.tuple(rate, burst).map(([refillRate, newBurst]) =>
    command(`update ${refillRate}:${newBurst}`, (model, { bucket }) => {
      model.rate = refillRate;
      model.burst = newBurst;
      model.units = Math.min(model.units, newBurst * UNITS);
      bucket.update({ refillRate, burst: newBurst });
    }),
  ),
  fc.constantFrom(0, 1, 250, 2000).map((ms) =>
    command(`cool down ${ms}`, (model, { bucket }) => {
      model.cooling = ms;
      bucket.coolDown(ms);
    }),
  ),
];

describe('TokenBucket, whatever is done to it', () => {
  it('does what a model in whole numbers does: grants, refusals, waits, tokens', () => {
    fc.assert(
      fc.property(rate, burst, fc.commands(commands, { maxCommands: 80 }), (refillRate, most, steps) => {
        fc.modelRun(() => {
          const clock = new ManualClock();
          const bucket = new TokenBucket({ refillRate, burst: most, now: clock.now });
          return { model: new Model(refillRate, most), real: { clock, bucket } };
        }, steps);
      }),
      { numRuns: 300 },
    );
  });

  it('in no stretch of time grants more than its burst and what is earned in it', () => {
    const asks = fc.array(
      fc.record({
        wait: fc.double({ min: 0, max: 500, noNaN: true }),
        rows: fc.integer({ min: 1, max: 100 }),
        scale: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      }),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 2000, noNaN: true }), asks, (refillRate, steps) => {
        const clock = new ManualClock();
        const bucket = new TokenBucket({ refillRate, burst: 100, now: clock.now });
        let earned = 0;
        let granted = 0;
        // At each ask: what was earned and granted from the start until just before it.
        const marks: { earned: number; granted: number }[] = [];
        for (const { wait, rows, scale } of steps) {
          clock.ms += wait;
          earned += (wait / 1000) * refillRate * bucket.scale;
          if (scale !== null) bucket.scale = scale;
          marks.push({ earned, granted });
          if (bucket.tryTake(rows).granted) granted += rows;
          for (const mark of marks) {
            expect(granted - mark.granted).toBeLessThanOrEqual(100 + (earned - mark.earned) + 1e-3);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('TokenBucket over 10 s', () => {
  const scales = [1, 0.5, 0.1];
  const asks = fc.record({
    scale: fc.constantFrom(...scales),
    refillRate: fc.integer({ min: 10_000, max: 100_000 }),
    // So that the bucket never runs over between two asks: what does is lost, as it should be.
    rows: fc.integer({ min: 10, max: 500 }),
    burst: fc.integer({ min: 1000, max: 2000 }),
    everyMs: fc.double({ min: 2, max: 5, noNaN: true }),
  });

  it('holds its rate within 2 % at scales 1, 0.5 and 0.1, for whoever asks all the time', () => {
    fc.assert(
      fc.property(asks, ({ scale, refillRate, rows, burst: most, everyMs }) => {
        const clock = new ManualClock();
        const bucket = new TokenBucket({ refillRate, burst: most, now: clock.now });
        bucket.scale = scale;
        while (bucket.tryTake(1).granted);
        let granted = 0;
        for (clock.ms = 0; clock.ms <= 10_000; clock.ms += everyMs) {
          while (bucket.tryTake(rows).granted) granted += rows;
        }
        const due = refillRate * scale * 10;
        expect(granted).toBeGreaterThan(due * 0.98 - rows);
        expect(granted).toBeLessThan(due * 1.02 + rows);
      }),
      { numRuns: 20 },
    );
  });

  it.each(scales)('grants %f of its rate to one who waits as long as told', (scale) => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ refillRate: 20_000, burst: 5000, now: clock.now });
    bucket.scale = scale;
    bucket.tryTake(5000);
    let granted = 0;
    while (clock.ms < 10_000) {
      const result = bucket.tryTake(700);
      if (result.granted) granted += 700;
      else clock.ms += result.retryAfterMs;
    }
    const due = 20_000 * scale * 10;
    expect(Math.abs(granted - due)).toBeLessThanOrEqual(due * 0.02);
  });

  it('grants nothing at scale 0', () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ refillRate: 20_000, burst: 5000, now: clock.now });
    bucket.scale = 0;
    for (; clock.ms <= 10_000; clock.ms += 10) expect(bucket.tryTake(1).granted).toBe(false);
  });
});
