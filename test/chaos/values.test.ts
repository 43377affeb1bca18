import { expect, it } from '@jest/globals';
import fc from 'fast-check';

import { BarKeys } from '../../chaos/bar.keys.js';
import { areSame, contentOf, valuesOf } from '../../chaos/bar.values.js';

const number = fc.integer({ min: 0, max: 2 ** 31 });
const content = fc.integer({ min: 1, max: 10_000_000 });

it('tells the version of a bar by its values, which no other bar and version has', () => {
  fc.assert(
    fc.property(number, fc.integer({ min: 0, max: 1e6 }), content, (salt, bar, version) => {
      const values = valuesOf(salt, bar, version);
      expect(contentOf(salt, bar, values.volume)).toBe(version);
      expect(areSame(values, valuesOf(salt, bar, version))).toBe(true);
      expect(areSame(values, valuesOf(salt, bar, version + 1))).toBe(false);
      expect(areSame(values, valuesOf(salt, bar + 1, version))).toBe(false);
      expect(areSame(values, valuesOf(salt + 1, bar, version))).toBe(false);
    }),
  );
});

it('makes bars that a service must take, and that survive being written down', () => {
  fc.assert(
    fc.property(number, number, content, (salt, bar, version) => {
      const values = valuesOf(salt, bar, version);
      const { open, high, low, close, volume } = values;
      expect([open, high, low, close, volume].every(Number.isFinite)).toBe(true);
      expect(high).toBe(Math.max(open, high, low, close));
      expect(low).toBe(Math.min(open, high, low, close));
      expect(volume).toBeGreaterThanOrEqual(0);
      expect(areSame(JSON.parse(JSON.stringify(values)) as typeof values, values)).toBe(true);
    }),
  );
});

it.each([{ provider: 'A' }, { provider: 'A', barsPerSeries: 30 }, { provider: 'A', secondsPerBar: 1 }])(
  'finds a bar again by its symbol and time: %j',
  (options) => {
    const keys = new BarKeys(options);
    for (const bar of [0, 1, 29, 30, 31, 1_234])
      expect(keys.barOf(keys.symbolOf(bar), keys.tsOf(bar))).toBe(bar);
    expect(keys.barOf('A-0', keys.tsOf(0) - 1)).toBeUndefined();
    expect(keys.barOf('A-x', keys.tsOf(0))).toBeUndefined();
    expect(keys.barOf('B-0', keys.tsOf(0))).toBeUndefined();
  },
);
