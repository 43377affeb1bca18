import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type { BarBatch } from '../../src/bars/bar.batch.js';
import { barBatchCodec } from '../../src/bars/bar.batch.codec.js';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import { joinBatches } from '../../src/bars/bar.batch.join.js';
import { barsOf } from './decode.samples.js';

const MINUTE_US = 60_000_000;
const YEAR_MINUTES = 366 * 24 * 60;

type Key = readonly [symbol: string, minute: number];

let receipts = 0;

function batchOf(keys: readonly Key[]): BarBatch {
  const builder = new BarBatchBuilder();
  keys.forEach(([symbol, minute], i) =>
    builder.add('test', symbol, '1m', minute * MINUTE_US, 1 + i, 9, 0.5, 2, minute),
  );
  return Object.assign(builder.finish(), { receivedAt: ++receipts });
}

describe('batches put together', () => {
  it('have the bars of all in order, and were received with the last', () => {
    const one = batchOf([
      ['B', 5],
      ['A', 1],
    ]);
    const other = batchOf([
      ['A', 2],
      ['C', YEAR_MINUTES],
      ['B', 4],
    ]);
    const joined = joinBatches([one, other]);
    expect(joined && barsOf(joined)).toEqual([...barsOf(one), ...barsOf(other)]);
    expect(joined).toMatchObject({
      rows: 5,
      lines: 5,
      series: ['test B 1m', 'test A 1m', 'test C 1m'],
      years: new Set([1970, 1971]),
      receivedAt: other.receivedAt,
    });
  });

  it('leave the batches as they were', () => {
    const batches = [batchOf([['A', 1]]), batchOf([['B', 1]])];
    const before = batches.map((batch) => ({ ...batch, tuples: Buffer.from(batch.tuples) }));
    joinBatches(batches);
    expect(batches).toEqual(before);
  });

  it('count lines that were replaced within their body', () => {
    const replaced = batchOf([
      ['A', 1],
      ['A', 1],
    ]);
    expect(joinBatches([replaced, batchOf([['A', 2]])])).toMatchObject({ rows: 2, lines: 3 });
  });

  it('have years of their own again when they are taken apart', () => {
    const joined = joinBatches([batchOf([['A', 1]]), batchOf([['B', YEAR_MINUTES]]), batchOf([['C', 2]])]);
    if (!joined) throw new Error('they have no bar in common');
    const before = barBatchCodec.slice(joined, 0, 1);
    const after = barBatchCodec.slice(joined, 1, 3);
    expect([before.years, after.years]).toEqual([new Set([1970]), new Set([1971, 1970])]);
    expect(barBatchCodec.slice(after, 0, 1).years).toEqual(new Set([1971]));
    expect(barBatchCodec.slice(after, 1, 2).years).toEqual(new Set([1970]));
    expect(before).toMatchObject({ rows: 1, lines: 1 });
    // Less than a millisecond before a year that lies before 1970.
    const early = batchOf([
      ['A', -365 * 24 * 60 - 0.5 / 60_000],
      ['A', 0],
    ]);
    expect(barBatchCodec.slice(early, 0, 1).years).toEqual(new Set([1968]));
    expect(after).toMatchObject({ rows: 2, lines: 2 });
  });

  it('name only series of their own bars when they are taken apart and put on disk', () => {
    const whole = batchOf([
      ['A', 1],
      ['B', 2],
      ['A', 3],
    ]);
    const last = barBatchCodec.slice(barBatchCodec.slice(whole, 1, 3), 1, 2);
    const stored = barBatchCodec.decode(Buffer.concat(barBatchCodec.encode(last)), last.receivedAt);
    expect(stored.series).toEqual(['test A 1m']);
    expect(stored.receivedAt).toBe(whole.receivedAt);
    expect(barsOf(stored)).toEqual(barsOf(whole).slice(2));
  });

  it('are undefined exactly when two have a bar in common', () => {
    const key = fc.tuple(fc.constantFrom('A', 'B', 'C'), fc.nat({ max: 12 }));
    const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 4, selector: String });
    fc.assert(
      fc.property(fc.array(keys, { minLength: 2, maxLength: 5 }), (bodies) => {
        const batches = bodies.map(batchOf);
        const joined = joinBatches(batches);
        const all = bodies.flat().map(String);
        expect(joined === undefined).toBe(new Set(all).size < all.length);
        if (joined) expect(barsOf(joined)).toEqual(batches.flatMap(barsOf));
      }),
      { numRuns: 500 },
    );
  });
});
