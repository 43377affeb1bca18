import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { barBatchCodec } from '../../src/bars/bar.batch.codec.js';
import type { BarBatch, OnConflict } from '../../src/bars/bar.batch.js';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import { joinBatches } from '../../src/bars/bar.batch.join.js';
import { parseSeriesName } from '../../src/bars/series.key.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { openSink, type OpenSink } from './sinks.js';
import { versionsOf } from './stored.versions.js';

const DAY_US = 86_400_000_000;
const FIRST_DAY = Date.UTC(2026, 0, 5) * 1000;
const RECEIVED = Date.UTC(2026, 5, 1) * 1000;

/** A batch with a bar a day, received so many microseconds after an origin. */
function batchOf(onConflict: OnConflict, at: number, symbol: string, ...closes: number[]): BarBatch {
  const builder = new BarBatchBuilder(Infinity, undefined, onConflict);
  closes.forEach((close, day) =>
    builder.add('test', symbol, '1d', FIRST_DAY + day * DAY_US, 1, 1_000, 0, close, 5),
  );
  return Object.assign(builder.finish(), { receivedAt: RECEIVED + at });
}
const keep = (at: number, symbol: string, ...closes: number[]) => batchOf('keep', at, symbol, ...closes);
const replace = (at: number, symbol: string, ...closes: number[]) =>
  batchOf('replace', at, symbol, ...closes);

describe('a batch that keeps what is stored', () => {
  it('has of two bars of one time the first, and counts the other', () => {
    const builder = new BarBatchBuilder(Infinity, undefined, 'keep');
    for (const [day, close] of [
      [1, 10],
      [0, 20],
      [1, 11],
      [1, 10],
      [2, 30],
      [0, 21],
    ] as const)
      builder.add('test', 'TWICE', '1d', FIRST_DAY + day * DAY_US, 1, 1_000, 0, close, 5);
    const batch = builder.finish();
    expect(batch).toMatchObject({ rows: 3, lines: 6, superseded: 2, onConflict: 'keep' });
    expect(barBatchCodec.show(batch, 9)).toMatchObject([{ close: 10 }, { close: 20 }, { close: 30 }]);
  });

  it('is the same when it is read back from the disk, and so are its parts', () => {
    for (const batch of [keep(1, 'A', 1, 2, 3), replace(1, 'A', 1, 2, 3)]) {
      const read = (one: BarBatch) =>
        barBatchCodec.decode(Buffer.concat(barBatchCodec.encode(one)), RECEIVED + 1);
      expect(read(batch)).toEqual(batch);
      const part = barBatchCodec.slice(read(batch), 1, 2);
      expect(read(part)).toEqual(part);
      expect(part.onConflict).toBe(batch.onConflict);
    }
  });

  it('loses the lines that gave way when it is cut or read back: their numbers are left', () => {
    const builder = new BarBatchBuilder();
    for (const close of [1, 2, 1]) builder.add('test', 'CUT', '1d', FIRST_DAY, 1, 1_000, 0, close, 5);
    builder.add('test', 'CUT', '1d', FIRST_DAY + DAY_US, 1, 1_000, 0, 1, 5);
    const batch = builder.finish();
    expect(batch.repeated).toHaveLength(2 * (batch.tuples.length / batch.rows));
    const read = barBatchCodec.decode(Buffer.concat(barBatchCodec.encode(batch)), 1);
    for (const one of [read, barBatchCodec.slice(batch, 0, 1), joinBatches([batch])]) {
      expect(one).toMatchObject({ superseded: 1 });
      expect(one?.repeated).toBeUndefined();
    }
  });

  it('is refused by a build that knows nothing of it: the first name is that of no series', () => {
    const [head = Buffer.alloc(0)] = barBatchCodec.encode(keep(1, 'A', 1));
    const [, name = ''] = head.toString('latin1', 4).split('\n');
    expect(() => parseSeriesName(name)).toThrow('has not three parts');
  });

  it('is never put together with one that replaces', () => {
    expect(joinBatches([keep(1, 'A', 1), replace(2, 'B', 1)])).toBeUndefined();
    expect(joinBatches([replace(1, 'A', 1), keep(2, 'B', 1)])).toBeUndefined();
    expect(joinBatches([keep(1, 'A', 1), keep(2, 'B', 1)])).toMatchObject({ rows: 2, onConflict: 'keep' });
  });
});

describe('bars that keep what is stored', () => {
  let test: TestDatabase;
  let open: OpenSink;
  let other: OpenSink;
  beforeAll(async () => {
    test = await createDatabase();
    [open, other] = await Promise.all([openSink(test.url), openSink(test.url)]);
  });
  afterAll(async () => {
    await Promise.all([open.close(), other.close()]);
    await test.drop();
  });

  const write = async (...batches: BarBatch[]) =>
    (await open.sink.write(batches)).map(({ inserted, updated, unchanged, superseded }) => [
      inserted,
      updated,
      unchanged,
      superseded,
    ]);

  /** The versions of the first bar. */
  const history = (symbol: string) => versionsOf(test, symbol, FIRST_DAY, RECEIVED);

  it('are stored where none is; the others change nothing, also when they come again', async () => {
    expect(await write(replace(1, 'SOME', 10, 20))).toEqual([[2, 0, 0, 0]]);
    const body = keep(2, 'SOME', 10, 21, 30);
    expect(await write(body)).toEqual([[1, 0, 1, 1]]);
    // A retry after a commit that nobody heard of.
    expect(await write(body)).toEqual([[1, 0, 1, 1]]);
    expect(await write(keep(3, 'SOME', 10, 20, 31))).toEqual([[0, 0, 2, 1]]);
    expect(await history('SOME')).toEqual([[10, 1, null]]);
    expect(await test.query('SELECT FROM bar_confirmations')).toEqual([]);
  });

  it('count the lines of a body that repeat a bar by what is stored, where -0 is 0', async () => {
    const lines = (onConflict: OnConflict, at: number, symbol: string, ...closes: number[]) => {
      const builder = new BarBatchBuilder(Infinity, undefined, onConflict);
      for (const close of closes) builder.add('test', symbol, '1d', FIRST_DAY, 1, 1_000, -1, close, 5);
      return Object.assign(builder.finish(), { receivedAt: RECEIVED + at });
    };
    await write(lines('replace', 5, 'ZERO', 0), lines('replace', 5, 'OTHER', 1));
    // Of a batch that is written beside another nothing is mixed up.
    expect(
      await write(
        lines('keep', 6, 'ZERO', 1, -0, 0, 2),
        lines('keep', 7, 'OTHER', 2, 1, 1),
        lines('replace', 4, 'ZERO', 1, -0, 3),
      ),
    ).toEqual([
      [0, 0, 2, 2],
      [0, 0, 2, 1],
      [0, 0, 1, 2],
    ]);
    // The row of the first is replaced by the second in the same write: what is stored then counts for its lines, too.
    expect(await write(lines('replace', 8, 'ZERO', 7, 8, 6), lines('replace', 9, 'ZERO', 7))).toEqual([
      [0, 1, 1, 1],
      [0, 1, 0, 0],
    ]);
  });

  it('of one time in one write: the one received first is stored', async () => {
    expect(await write(keep(7, 'ORDER', 2), keep(6, 'ORDER', 1), keep(8, 'ORDER', 1))).toEqual([
      [0, 0, 0, 1],
      [1, 0, 0, 0],
      [0, 0, 1, 0],
    ]);
    expect(await history('ORDER')).toEqual([[1, 6, null]]);
  });

  it('give way to one received later, which is filed as ever', async () => {
    await write(keep(10, 'LATER', 1));
    expect(await write(replace(20, 'LATER', 2))).toEqual([[0, 1, 0, 0]]);
    expect(await history('LATER')).toEqual([
      [1, 10, 20],
      [2, 20, null],
    ]);
  });

  it('give way to one received earlier and committed later, as if it had been there', async () => {
    await write(keep(10, 'EARLIER', 1));
    expect(await write(replace(5, 'EARLIER', 2))).toEqual([[0, 1, 0, 0]]);
    expect(await history('EARLIER')).toEqual([[2, 5, null]]);
    // From then on it is a bar as any other.
    expect(await write(replace(4, 'EARLIER', 3))).toEqual([[0, 0, 0, 1]]);
    expect(await write(keep(10, 'EARLIER', 1))).toEqual([[0, 0, 0, 1]]);
  });

  it('give way to one with the same values, so that one before it does not win', async () => {
    await write(keep(10, 'ALIKE', 1));
    expect(await write(replace(5, 'ALIKE', 1))).toEqual([[0, 0, 1, 0]]);
    expect(await write(replace(4, 'ALIKE', 2))).toEqual([[0, 0, 0, 1]]);
    expect(await history('ALIKE')).toEqual([
      [2, 4, 5],
      [1, 5, null],
    ]);
  });

  it('are confirmed by one received later, which an earlier one does not undo', async () => {
    await write(keep(10, 'CONFIRMED', 1));
    expect(await write(replace(20, 'CONFIRMED', 1))).toEqual([[0, 0, 1, 0]]);
    expect(await write(replace(5, 'CONFIRMED', 2))).toEqual([[0, 0, 0, 1]]);
    expect(await history('CONFIRMED')).toEqual([
      [2, 5, 20],
      [1, 20, null],
    ]);
  });

  it('leave no trace in the history where one was received before', async () => {
    await write(keep(10, 'FILED', 1));
    await write(replace(20, 'FILED', 2));
    await write(replace(5, 'FILED', 3));
    expect(await history('FILED')).toEqual([
      [3, 5, 20],
      [2, 20, null],
    ]);
  });

  it('that came from a clock that was ahead give way to one received now', async () => {
    const now = Date.now() * 1000 - RECEIVED;
    await write(keep(now + 3_600_000_000, 'AHEAD', 1));
    expect(await write(replace(now, 'AHEAD', 2))).toEqual([[0, 1, 0, 0]]);
    expect(await history('AHEAD')).toEqual([[2, now, null]]);
  });

  it('are written after those that replace, when they are written together', async () => {
    expect(await write(keep(1, 'MIXED', 1, 1), replace(2, 'MIXED', 2), keep(3, 'MIXED', 3, 3, 3))).toEqual([
      [1, 0, 0, 1],
      [1, 0, 0, 0],
      [1, 0, 0, 2],
    ]);
    expect(await history('MIXED')).toEqual([[2, 2, null]]);
  });

  it('wait for another writer of the same bar, and lose to it whoever commits first', async () => {
    await write(replace(1, 'RACE', 0));
    await test.query(`DELETE FROM bars USING series WHERE id = series_id AND symbol = 'RACE'`);
    const client = new Client({ connectionString: test.url });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query(
        `INSERT INTO bars SELECT id, to_timestamp($1), 1, 1000, 0, 9, 5, to_timestamp($2) FROM series WHERE symbol = 'RACE'`,
        [FIRST_DAY / 1e6, (RECEIVED + 3) / 1e6],
      );
      const both = [open.sink.write([keep(5, 'RACE', 1)]), other.sink.write([replace(4, 'RACE', 2)])];
      await eventually('both wait', async () => {
        const waiting = await test.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return waiting.length === 2;
      });
      await client.query('ROLLBACK');
      await Promise.all(both);
    } finally {
      await client.end();
    }
    expect((await history('RACE')).at(-1)).toEqual([2, 4, null]);
  });
});

describe('a bar that keeps what is stored and is tried alone', () => {
  let test: TestDatabase;
  let open: OpenSink;
  beforeAll(async () => {
    test = await createDatabase();
    open = await openSink(test.url);
  });
  afterAll(async () => {
    await open.close();
    await test.drop();
  });

  it('passes where one is stored: its values are not written then', async () => {
    await open.sink.write([replace(1, 'TRIED', 10)]);
    await test.query('ALTER TABLE bars ADD CONSTRAINT not_the_devil CHECK (close <> 666)');
    const errors = await open.sink.tryEach([
      keep(2, 'TRIED', 666),
      keep(2, 'ABSENT', 666),
      replace(2, 'TRIED', 666),
    ]);
    expect(errors.map((error) => error?.message.includes('not_the_devil') ?? false)).toEqual([
      false,
      true,
      true,
    ]);
  });
});
