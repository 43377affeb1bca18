import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import type { BarBatch } from '../../src/bars/bar.batch.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { openSink, type OpenSink } from './sinks.js';

const MINUTE_US = 60_000_000;
const FIRST = Date.UTC(2026, 0, 5) * 1000;
/** In the past, as all that was received. */
const RECEIVED = Date.UTC(2026, 5, 1) * 1000;

let test: TestDatabase;
let opened: OpenSink;
let dated = 0;

beforeAll(async () => {
  test = await createDatabase();
  opened = await openSink(test.url, { observer: { dated: (versions) => (dated += versions) } });
});
afterAll(async () => {
  await opened.close();
  await test.drop();
});

interface Version {
  readonly key: number;
  readonly at: number;
  readonly close: number;
}

/** One batch with a version of each key at most, all received at the same time. */
function batchOf(symbol: string, at: number, versions: readonly Version[]): BarBatch {
  const builder = new BarBatchBuilder();
  for (const { key, close } of versions)
    builder.add('test', symbol, '1m', FIRST + key * MINUTE_US, 0, 1e9, 0, close, 1);
  return Object.assign(builder.finish(), { receivedAt: at });
}

interface Span {
  readonly close: number;
  readonly from: number;
  readonly until: number | null;
}

/** All that is known of a key, oldest first. */
async function spansOf(symbol: string, key = 0): Promise<Span[]> {
  const rows = await test.query<{ close: number; from: string; until: string | null }>(
    `SELECT close, (extract(epoch FROM received_at) * 1000000)::bigint AS from,
            (extract(epoch FROM superseded_at) * 1000000)::bigint AS until
       FROM (SELECT series_id, ts, close, received_at, superseded_at FROM bar_revisions
             UNION ALL SELECT series_id, ts, close, received_at, NULL FROM bars) AS versions
       JOIN series ON series.id = series_id
      WHERE symbol = $1 AND ts = to_timestamp($2) ORDER BY received_at, superseded_at NULLS LAST`,
    [symbol, (FIRST + key * MINUTE_US) / 1e6],
  );
  return rows.map(({ close, from, until }) => ({
    close,
    from: Number(from),
    until: until === null ? null : Number(until),
  }));
}

/** Spans meet, and none is empty. */
function expectSound(spans: readonly Span[]): void {
  spans.forEach(({ from, until }, index) => {
    expect(until).toBe(spans[index + 1]?.from ?? null);
    if (until !== null) expect(until).toBeGreaterThan(from);
  });
}

describe('Versions of one bar', () => {
  it('are merged in a number of statements that does not depend on how many there are', async () => {
    const { sink } = opened;
    const batches = Array.from({ length: 20_000 }, (_, n) =>
      batchOf('HOT', RECEIVED + n, [{ key: 0, at: 0, close: n }]),
    );
    const counts = await sink.write(batches);
    expect(counts[0]).toEqual({ inserted: 1, updated: 0, unchanged: 0, superseded: 0 });
    expect(counts.slice(1).every(({ updated }) => updated === 1)).toBe(true);
    const spans = await spansOf('HOT');
    expect(spans).toHaveLength(20_000);
    expectSound(spans);
    // Those that follow need not look at what was before.
    await sink.write([
      batchOf('HOT', RECEIVED + 30_000, [{ key: 0, at: 0, close: 1 }]),
      batchOf('HOT', RECEIVED + 30_001, [{ key: 0, at: 0, close: 2 }]),
    ]);
    expect((await spansOf('HOT')).slice(-3)).toEqual([
      { close: 19_999, from: RECEIVED + 19_999, until: RECEIVED + 30_000 },
      { close: 1, from: RECEIVED + 30_000, until: RECEIVED + 30_001 },
      { close: 2, from: RECEIVED + 30_001, until: null },
    ]);
  });

  it('are not taken for known when a version that is replaced was confirmed at that time', async () => {
    const { sink } = opened;
    for (const [at, close] of [
      [1, 2],
      [2, 2],
      [6, 1],
      [2, 1],
    ] as const)
      await sink.write([batchOf('STALE', RECEIVED + at, [{ key: 0, at: 0, close }])]);
    // Of the confirmation only the last is remembered: none of the stored version.
    expect(await spansOf('STALE')).toEqual([
      { close: 2, from: RECEIVED + 1, until: RECEIVED + 2 },
      { close: 1, from: RECEIVED + 2, until: null },
    ]);
  });

  it('that two replicas received in the same microsecond leave no empty span, and can be corrected', async () => {
    const { sink } = opened;
    for (const close of [5, 7, 6]) await sink.write([batchOf('SAME', RECEIVED, [{ key: 0, at: 0, close }])]);
    expect(await spansOf('SAME')).toEqual([{ close: 7, from: RECEIVED, until: null }]);
    for (const close of [8, 9])
      await sink.write([batchOf('SAME', RECEIVED + close, [{ key: 0, at: 0, close }])]);
    expect((await spansOf('SAME')).map(({ close }) => close)).toEqual([7, 8, 9]);
  });

  it('can be corrected where an earlier release filed one with an empty span', async () => {
    const { sink } = opened;
    await sink.write([batchOf('EMPTY', RECEIVED, [{ key: 0, at: 0, close: 5 }])]);
    await test.query(
      `INSERT INTO bar_revisions SELECT series_id, ts, open, high, low, 4, volume, received_at, received_at
         FROM bars JOIN series ON id = series_id WHERE symbol = 'EMPTY'`,
    );
    await sink.write([batchOf('EMPTY', RECEIVED + 5, [{ key: 0, at: 0, close: 6 }])]);
    expect(await spansOf('EMPTY')).toEqual([
      { close: 5, from: RECEIVED, until: RECEIVED + 5 },
      { close: 6, from: RECEIVED + 5, until: null },
    ]);
  });

  it('end alike whether a version or the confirmation of another of the same time comes first', async () => {
    const { sink } = opened;
    const write = (symbol: string, at: number, close: number) =>
      sink.write([batchOf(symbol, RECEIVED + at, [{ key: 0, at: 0, close }])]);
    for (const [first, second] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const symbol = `TIE${first}`;
      await write(symbol, 0, 1);
      await write(symbol, 5, first);
      await write(symbol, 5, second);
      expect(await spansOf(symbol)).toEqual([
        { close: 1, from: RECEIVED, until: RECEIVED + 5 },
        { close: 2, from: RECEIVED + 5, until: null },
      ]);
    }
  });
});

describe('A stored version from the future', () => {
  const HOUR_US = 3_600_000_000;
  const now = () => Date.now() * 1000;

  it('gives way to a version received now, is dated just before it, and is reported', async () => {
    const { sink } = opened;
    const write = (at: number, close: number) =>
      sink.write([batchOf('FUTURE', at, [{ key: 0, at: 0, close }])]);
    const [before, ahead] = [now() - HOUR_US, now() + 48 * HOUR_US];
    await write(before, 1);
    await write(ahead, 2);
    await write(ahead + 1, 3);
    dated = 0;
    const at = now();
    expect(await write(at, 4)).toEqual([{ inserted: 0, updated: 1, unchanged: 0, superseded: 0 }]);
    expect(dated).toBe(2);
    expect(await spansOf('FUTURE')).toEqual([
      { close: 1, from: before, until: at - 2 },
      { close: 2, from: at - 2, until: at - 1 },
      { close: 3, from: at - 1, until: at },
      { close: 4, from: at, until: null },
    ]);
    // From then on all is as ever.
    await write(at + 5, 5);
    await write(at + 3, 6);
    expect((await spansOf('FUTURE')).slice(-3).map(({ close }) => close)).toEqual([4, 6, 5]);
  });

  it('stays when only what it replaced comes again, and when its confirmation is from the future too', async () => {
    const { sink } = opened;
    const write = (at: number, close: number) =>
      sink.write([batchOf('REPLAY', at, [{ key: 0, at: 0, close }])]);
    const [before, ahead] = [now() - HOUR_US, now() + HOUR_US];
    await write(before, 1);
    await write(ahead, 2);
    await write(ahead + 7, 2);
    await write(before, 1);
    expect((await spansOf('REPLAY')).map(({ close }) => close)).toEqual([1, 2]);
    const at = now();
    await write(at, 3);
    expect(await spansOf('REPLAY')).toMatchObject([{ close: 1 }, { close: 2 }, { close: 3, from: at }]);
    expectSound(await spansOf('REPLAY'));
    await write(at + 1, 4);
    expect((await spansOf('REPLAY')).at(-1)).toEqual({ close: 4, from: at + 1, until: null });
  });

  it('is replaced by a later version from the future as by any other', async () => {
    const { sink } = opened;
    const ahead = now() + HOUR_US;
    await sink.write([batchOf('LATER', ahead, [{ key: 0, at: 0, close: 1 }])]);
    await sink.write([batchOf('LATER', ahead + 1, [{ key: 0, at: 0, close: 2 }])]);
    expect(await spansOf('LATER')).toEqual([
      { close: 1, from: ahead, until: ahead + 1 },
      { close: 2, from: ahead + 1, until: null },
    ]);
  });
});
