import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import { seriesName } from '../../src/bars/series.key.js';
import { SymbolCase } from '../../src/bars/symbol.case.js';
import { OFFSET, TUPLE_BYTES, TUPLE_TEMPLATE, writeTimestamp } from '../../src/bars/tuple.js';
import { barsOf } from './decode.samples.js';

const DAY_US = 86_400_000_000;

function addBar(builder: BarBatchBuilder, symbol: string, ts: number, close = 1): void {
  builder.add('p', symbol, '1d', ts, 1, 2, 0, close, 10);
}

describe('BarBatchBuilder', () => {
  it('writes a bar as PostgreSQL reads it', () => {
    const builder = new BarBatchBuilder();
    builder.add('ibkr', 'SPY', '1m', 1_704_205_800_000_001, 1.1, -0, -3.3, 1e-320, 5);
    const expected = Buffer.from(TUPLE_TEMPLATE);
    writeTimestamp(expected, 1_704_205_800_000_001, OFFSET.ts);
    [1.1, -0, -3.3, 1e-320, 5].forEach((value, field) =>
      expected.writeDoubleBE(value, OFFSET.open + 12 * field),
    );
    expect(builder.finish()).toEqual({
      rows: 1,
      lines: 1,
      superseded: 0,
      onConflict: 'replace',
      series: ['ibkr SPY 1m'],
      years: new Set([2024]),
      tuples: expected,
      receivedAt: 0,
    });
  });

  it('makes an empty batch of no bars', () => {
    expect(new BarBatchBuilder().finish()).toMatchObject({
      rows: 0,
      lines: 0,
      series: [],
      tuples: Buffer.alloc(0),
    });
  });

  it('keeps every bar while it grows', () => {
    const builder = new BarBatchBuilder();
    const rows = 40_000;
    for (let i = 0; i < rows; i++) addBar(builder, 'A', i * 1_000_000, i);
    const batch = builder.finish();
    expect(batch.tuples).toHaveLength(rows * TUPLE_BYTES);
    expect(barsOf(batch).map((bar) => bar.prices[3])).toEqual(Array.from({ length: rows }, (_, i) => i));
    const last = (rows - 1) * TUPLE_BYTES;
    expect(batch.tuples.subarray(last, last + 6)).toEqual(TUPLE_TEMPLATE.subarray(0, 6));
  });

  it('holds not much more memory than its bars need', () => {
    for (const rows of [1, 65, 129, 1_000, 20_000, 30_000]) {
      const builder = new BarBatchBuilder();
      for (let i = 0; i < rows; i++) addBar(builder, 'A', i);
      const { tuples } = builder.finish();
      expect(tuples.buffer.byteLength).toBeLessThanOrEqual(Math.max(Buffer.poolSize, 1.34 * tuples.length));
    }
  });

  it('leaves the kept room to the next batch also when it grows out of it', () => {
    const long = new BarBatchBuilder();
    for (let i = 0; i < 20_000; i++) addBar(long, 'A', i);
    const before = process.memoryUsage().arrayBuffers;
    new BarBatchBuilder().discard();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    const batch = long.finish();
    expect(barsOf(batch).map((bar) => bar.ts)).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
  });

  it('shares no memory with a batch before it or beside it', () => {
    const first = new BarBatchBuilder();
    const beside = new BarBatchBuilder();
    for (let i = 0; i < 3; i++) {
      addBar(first, 'A', i, 1);
      addBar(beside, 'B', i, 2);
    }
    const [a, b] = [first.finish(), beside.finish()];
    const abandoned = new BarBatchBuilder();
    addBar(abandoned, 'C', 0, 3);
    abandoned.discard();
    const last = new BarBatchBuilder();
    for (let i = 0; i < 2; i++) addBar(last, 'D', i, 4);
    abandoned.discard();
    const closes = [a, b, last.finish()].map((batch) => barsOf(batch).map((bar) => bar.prices[3]));
    expect(closes).toEqual([
      [1, 1, 1],
      [2, 2, 2],
      [4, 4],
    ]);
  });

  it('shares no memory with a batch before it that filled the room', () => {
    for (const rows of [16_000, 16_384]) {
      const first = new BarBatchBuilder();
      for (let i = 0; i < rows; i++) addBar(first, 'A', i, 1);
      const batch = first.finish();
      const next = new BarBatchBuilder();
      addBar(next, 'B', 0, 2);
      next.finish();
      expect(barsOf(batch)[0]?.prices[3]).toBe(1);
    }
  });

  it('tells apart keys that would be equal when joined', () => {
    const builder = new BarBatchBuilder(Infinity, new SymbolCase('*'));
    const keys = [
      ['a', 'b', 'c'],
      ['a,b', 'c', ''],
      ['a', 'b,c', ''],
      ['', 'a,b', 'c'],
      ['b', 'a', 'c'],
      ['__proto__', 'constructor', 'toString'],
    ] as const;
    for (const [provider, symbol, interval] of [...keys, ...keys]) {
      builder.add(provider, symbol, interval, 0, 1, 1, 1, 1, 1);
    }
    const batch = builder.finish();
    expect(batch.series).toEqual(
      keys.map(([provider, symbol, interval]) => seriesName(provider, symbol, interval)),
    );
    expect(batch.rows).toBe(keys.length);
    expect(batch.lines).toBe(2 * keys.length);
  });

  it('knows the UTC years of its bars', () => {
    const builder = new BarBatchBuilder();
    const instants = [
      '2024-01-01T00:00:00Z',
      '2023-12-31T23:59:59.999Z',
      '1962-01-02',
      '1800-01-01',
      '1969-12-31T23:59:59.999Z',
      '2200-12-31',
      '2024-12-31',
    ];
    for (const instant of instants) addBar(builder, 'A', Date.parse(instant) * 1000);
    expect([...builder.finish().years].sort()).toEqual([1800, 1962, 1969, 2023, 2024, 2200]);
  });

  it('lets the later of two bars of one series and instant win, and counts both as lines', () => {
    const builder = new BarBatchBuilder();
    addBar(builder, 'A', 0, 1);
    addBar(builder, 'B', 0, 2);
    addBar(builder, 'A', DAY_US, 3);
    addBar(builder, 'A', 0, 4);
    const batch = builder.finish();
    expect(batch).toMatchObject({ rows: 3, lines: 4 });
    expect(barsOf(batch).map((bar) => [bar.symbol, bar.ts, bar.prices[3]])).toEqual([
      ['B', 0, 2],
      ['A', DAY_US, 3],
      ['A', 0, 4],
    ]);
  });

  it('leaves the same bars as a map that is written in order', () => {
    const bar = fc.record({ symbol: fc.constantFrom('A', 'B', 'C'), ts: fc.integer({ min: -8, max: 8 }) });
    fc.assert(
      fc.property(fc.array(bar, { maxLength: 300 }), (bars) => {
        const builder = new BarBatchBuilder();
        const model = new Map<string, unknown>();
        bars.forEach(({ symbol, ts }, line) => {
          addBar(builder, symbol, ts * DAY_US, line);
          const key = `${symbol} ${ts}`;
          model.delete(key);
          model.set(key, { symbol, ts: ts * DAY_US, close: line });
        });
        const batch = builder.finish();
        expect(batch.lines).toBe(bars.length);
        expect(barsOf(batch).map(({ symbol, ts, prices }) => ({ symbol, ts, close: prices[3] }))).toEqual([
          ...model.values(),
        ]);
      }),
    );
  });

  it.each(['replace', 'keep'] as const)(
    'sets apart the lines that gave way to another (%s)',
    (onConflict) => {
      const bar = fc.record({ symbol: fc.constantFrom('A', 'B'), ts: fc.nat({ max: 5 }) });
      fc.assert(
        fc.property(fc.array(bar, { maxLength: 40 }), (bars) => {
          const builder = new BarBatchBuilder(Infinity, undefined, onConflict);
          bars.forEach(({ symbol, ts }, line) => addBar(builder, symbol, ts * DAY_US, line));
          const batch = builder.finish();
          const { repeated } = batch;
          expect(repeated === undefined).toBe(batch.rows === bars.length);
          const others = repeated
            ? barsOf({ ...batch, tuples: repeated, rows: bars.length - batch.rows })
            : [];
          const lines = [...barsOf(batch), ...others].map(({ symbol, ts, prices }) => [
            prices[3],
            symbol,
            ts,
          ]);
          expect(lines.sort((a, b) => Number(a[0]) - Number(b[0]))).toEqual(
            bars.map(({ symbol, ts }, line) => [line, symbol, ts * DAY_US]),
          );
        }),
      );
    },
  );
});
