import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import type { ResolvedBatch } from '../../src/bars/resolved.batch.js';
import { orderByKey } from '../../src/bars/key.order.js';
import { parseSeriesName } from '../../src/bars/series.key.js';
import { OFFSET, readTimestamp } from '../../src/bars/tuple.js';

interface Bar {
  readonly series: number;
  readonly minute: number;
}

/** Ids fall as the number of the series rises, so that the order of a dictionary is never that of the key. */
const idOf = (symbol: string): number => 1_000 - Number(symbol);

function resolved(bars: readonly Bar[], receivedAt: number): ResolvedBatch {
  const builder = new BarBatchBuilder();
  for (const { series, minute } of bars)
    builder.add('test', String(series), '1m', minute * 60_000_000, 1, 1, 1, 1, 1);
  const batch = Object.assign(builder.finish(), { receivedAt });
  return { batch, ids: Int32Array.from(batch.series, (name) => idOf(parseSeriesName(name).symbol)) };
}

/** The keys, and times of receipt, that an order goes through. */
function walk(
  batches: readonly ResolvedBatch[],
  { batch, at }: { batch: Uint32Array; at: Uint32Array },
): [number, number, number][] {
  return [...at].map((offset, row) => {
    const source = batches[batch[row] ?? -1];
    const tuples = source?.batch.tuples ?? Buffer.alloc(0);
    const id = source?.ids[tuples.readInt32BE(offset + OFFSET.series)] ?? NaN;
    return [id, readTimestamp(tuples, offset + OFFSET.ts), source?.batch.receivedAt ?? NaN];
  });
}

const compare = (a: readonly number[], b: readonly number[]): number =>
  (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0) || (a[2] ?? 0) - (b[2] ?? 0);

describe('the order in which tuples are written', () => {
  const bars = fc.uniqueArray(fc.record({ series: fc.nat({ max: 4 }), minute: fc.nat({ max: 6 }) }), {
    minLength: 1,
    maxLength: 20,
    selector: ({ series, minute }) => `${series} ${minute}`,
  });

  it('has every key once, ascending, with the version received first, and apart all versions of those that come several times', () => {
    fc.assert(
      fc.property(fc.array(bars, { minLength: 1, maxLength: 4 }), (bodies) => {
        // The one received last comes first.
        const batches = bodies.map((body, index) => resolved(body, bodies.length - index));
        const order = orderByKey(batches);
        const all = batches.flatMap((batch) =>
          walk([batch], { batch: new Uint32Array(batch.batch.rows), at: offsets(batch.batch.rows) }),
        );
        const sorted = all.sort(compare);
        const isSameKey = (a?: readonly number[], b?: readonly number[]) =>
          a?.[0] === b?.[0] && a?.[1] === b?.[1];
        expect(walk(batches, order.keys)).toEqual(
          sorted.filter((version, index) => !isSameKey(version, sorted[index - 1])),
        );
        expect(walk(batches, order.versions)).toEqual(
          sorted.filter(
            (version, index) =>
              isSameKey(version, sorted[index - 1]) || isSameKey(version, sorted[index + 1]),
          ),
        );
        expect([order.firstTs, order.lastTs]).toEqual([
          Math.min(...all.map(([, ts]) => ts)),
          Math.max(...all.map(([, ts]) => ts)),
        ]);
      }),
    );
  });

  it('refuses a tuple whose series has no id', () => {
    const { batch } = resolved([{ series: 1, minute: 1 }], 1);
    expect(() => orderByKey([{ batch, ids: new Int32Array(1) }])).toThrow('whose id is not known');
  });
});

function offsets(rows: number): Uint32Array {
  return Uint32Array.from({ length: rows }, (_, row) => row * 94);
}
