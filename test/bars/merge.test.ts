import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { barBatchCodec } from '../../src/bars/bar.batch.codec.js';
import type { BarBatch } from '../../src/bars/bar.batch.js';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { openSink, type OpenSink } from './sinks.js';

const DAY_US = 86_400_000_000;
const FIRST_DAY = Date.UTC(2026, 0, 5) * 1000;
const MINUTE_US = 60_000_000;

let test: TestDatabase;
let open: OpenSink;
let dated = 0;

beforeAll(async () => {
  test = await createDatabase();
  open = await openSink(test.url, { observer: { dated: (versions) => (dated += versions) } });
});
afterAll(async () => {
  await open.close();
  await test.drop();
});

/** A batch with one bar a day, received at an instant in Unix epoch microseconds. */
function batch(receivedAt: number, symbol: string, ...closes: readonly number[]): BarBatch {
  const builder = new BarBatchBuilder();
  closes.forEach((close, day) =>
    builder.add('test', symbol, '1d', FIRST_DAY + day * DAY_US, 1, 999_999, 0, close, 5),
  );
  return Object.assign(builder.finish(), { receivedAt });
}

/** An instant of the past, and a little later. */
const moment = (offset: number): number => Date.UTC(2026, 5, 1) * 1000 + offset;

const write = async (...batches: BarBatch[]) => {
  const counts = await open.sink.write(batches);
  return counts.map(({ inserted, updated, unchanged, superseded }) => [
    inserted,
    updated,
    unchanged,
    superseded,
  ]);
};

/** The versions of the first bar: close, and from when until when, in microseconds from an origin. */
async function history(symbol: string, origin = moment(0)): Promise<(number | null)[][]> {
  const rows = await test.query<{ close: number; from: string; until: string | null }>(
    `SELECT close, extract(epoch FROM received_at) * 1000000 AS from, extract(epoch FROM superseded_at) * 1000000 AS until
       FROM (SELECT series_id, ts, close, received_at, superseded_at FROM bar_revisions
             UNION ALL SELECT series_id, ts, close, received_at, NULL FROM bars) AS versions
       JOIN series ON series.id = series_id
      WHERE symbol = $1 AND ts = to_timestamp($2) ORDER BY received_at, superseded_at`,
    [symbol, FIRST_DAY / 1e6],
  );
  const offset = (text: string) => Math.round(Number(text)) - origin;
  return rows.map(({ close, from, until }) => [close, offset(from), until === null ? null : offset(until)]);
}

/** The clock of the server, Unix epoch microseconds. */
async function serverTime(): Promise<number> {
  const [row] = await test.query<{ now: string }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now',
  );
  return Number(row?.now);
}

describe('a version of the time of a confirmation', () => {
  it('is not taken for late when the confirmation wins', async () => {
    await write(batch(moment(1), 'SEEN3', 30));
    await write(batch(moment(5), 'SEEN3', 30));
    await expect(write(batch(moment(5), 'SEEN3', 20))).resolves.toEqual([[0, 0, 0, 1]]);
    await expect(history('SEEN3')).resolves.toEqual([[30, 1, null]]);
  });
});

describe('many versions of one bar in one write', () => {
  const versions = (symbol: string, count: number) =>
    Array.from({ length: count }, (_, index) => batch(moment(index), symbol, index));

  it('are merged in a number of statements that does not depend on how many they are', async () => {
    const statements: string[] = [];
    const counted = await openSink(test.url, {
      onStatement: (statement) => statements.push(statement),
    });
    await counted.sink.write(versions('WARM', 2));
    const taken = [];
    for (const [symbol, count] of [
      ['FEW', 2],
      ['MORE', 20],
      ['MANY', 700],
    ] as const) {
      statements.length = 0;
      const counts = await counted.sink.write(versions(symbol, count));
      expect(counts.map(({ inserted, updated }) => [inserted, updated])).toEqual(
        counts.map((_, index) => (index === 0 ? [1, 0] : [0, 1])),
      );
      // Those that learn the new series are not of the merge.
      taken.push(statements.length);
      await expect(history(symbol)).resolves.toEqual(
        Array.from({ length: count }, (_, index) => [index, index, index + 1 < count ? index + 1 : null]),
      );
    }
    await counted.close();
    expect(new Set(taken).size).toBe(1);
  });

  it('are filed between those that are stored, and counted alike when they are written again', async () => {
    const all = versions('AGAIN', 40);
    const some = all.filter((_, index) => index % 3 === 0);
    await write(...some);
    await write(...all.filter((_, index) => index % 3 === 1));
    const last = all.filter((_, index) => index % 3 === 2);
    await write(...last);
    const expected = all.map((_, index) => [index, index, index + 1 < all.length ? index + 1 : null]);
    await expect(history('AGAIN')).resolves.toEqual(expected);
    await write(...all);
    await expect(history('AGAIN')).resolves.toEqual(expected);

    const counts = await write(...versions('UNHEARD', 20));
    await expect(write(...versions('UNHEARD', 20))).resolves.toEqual(counts);
  });

  it('have the same history when their write is halved down to single rows', async () => {
    const at = [4, 1, 3, 2];
    const bodies = at.map((receipt) => batch(moment(receipt), 'HALVED', receipt, 50, receipt));
    for (const body of bodies) {
      await write(barBatchCodec.slice(body, 1, body.rows));
      await write(barBatchCodec.slice(body, 0, 1));
    }
    await expect(history('HALVED')).resolves.toEqual([
      [1, 1, 2],
      [2, 2, 3],
      [3, 3, 4],
      [4, 4, null],
    ]);
  });
});

describe('a stored version from the future', () => {
  it('gives way also when it is the first, when there are several, and when it is a confirmation', async () => {
    const now = await serverTime();
    await write(batch(now + DAY_US, 'FIRST', 1));
    await write(batch(now + 2 * DAY_US, 'FIRST', 2));
    await write(batch(now + 3 * DAY_US, 'FIRST', 2));
    await write(batch(now, 'FIRST', 3));
    await expect(history('FIRST', now)).resolves.toEqual([
      [1, -3, -2],
      [2, -2, 0],
      [3, 0, null],
    ]);
    await write(batch(now - 10, 'SEEN', 1));
    await write(batch(now + DAY_US, 'SEEN', 1));
    await expect(write(batch(now, 'SEEN', 2))).resolves.toEqual([[0, 1, 0, 0]]);
    await expect(write(batch(now + 1, 'SEEN', 3))).resolves.toEqual([[0, 1, 0, 0]]);
    await expect(history('SEEN', now)).resolves.toEqual([
      [1, -10, 0],
      [2, 0, 1],
      [3, 1, null],
    ]);
  });

  it('gives way to versions of one write as to the first of them', async () => {
    const now = await serverTime();
    await write(batch(now - 10, 'HOT', 1));
    await write(batch(now + DAY_US, 'HOT', 2));
    await expect(
      write(
        batch(now + DAY_US, 'HOT', 2),
        batch(now - 20, 'HOT', 7),
        batch(now, 'HOT', 3),
        batch(now + 4, 'HOT', 4),
      ),
    ).resolves.toEqual([
      [0, 0, 0, 1],
      [0, 0, 0, 1],
      [0, 1, 0, 0],
      [0, 1, 0, 0],
    ]);
    await expect(history('HOT', now)).resolves.toEqual([
      [7, -20, -10],
      [1, -10, -1],
      [2, -1, 0],
      [3, 0, 4],
      [4, 4, null],
    ]);
  });

  it('does not give way to what is known already, to what came before, to another from the future, or within a minute', async () => {
    const now = await serverTime();
    dated = 0;
    await write(batch(now - 10, 'STAYS', 1));
    await write(batch(now - 5, 'STAYS', 1));
    await write(batch(now + DAY_US, 'STAYS', 2));
    await write(batch(now - 10, 'STAYS', 1));
    await write(batch(now - 5, 'STAYS', 1));
    await write(batch(now - 20, 'STAYS', 3));
    await expect(history('STAYS', now)).resolves.toEqual([
      [3, -20, -10],
      [1, -10, DAY_US],
      [2, DAY_US, null],
    ]);
    await write(batch(now + DAY_US - 1, 'STAYS', 4));
    await expect(history('STAYS', now)).resolves.toEqual([
      [3, -20, -10],
      [1, -10, DAY_US - 1],
      [4, DAY_US - 1, DAY_US],
      [2, DAY_US, null],
    ]);
    await write(batch(now + MINUTE_US / 2, 'SOON', 1));
    await write(batch(now, 'SOON', 2));
    await expect(history('SOON', now)).resolves.toEqual([
      [2, 0, MINUTE_US / 2],
      [1, MINUTE_US / 2, null],
    ]);
    expect(dated).toBe(0);
  });

  it('leaves spans that meet where there is no time left before the version that it gives way to', async () => {
    const now = await serverTime();
    await write(batch(now - 2, 'TIGHT', 1));
    await write(batch(now - 1, 'TIGHT', 5));
    await write(batch(now + DAY_US, 'TIGHT', 2));
    await write(batch(now + 2 * DAY_US, 'TIGHT', 3));
    await write(batch(now, 'TIGHT', 4));
    const spans = await history('TIGHT', now);
    expect(spans.at(-1)).toEqual([4, 0, null]);
    expect(spans[0]).toEqual([1, -2, -1]);
    spans.slice(1).forEach(([, from], index) => expect(spans[index]?.[2]).toBe(from));
    spans.slice(0, -1).forEach(([, from, until]) => expect(until).toBeGreaterThan(from ?? 0));
  });
});

describe('the locks of a merge', () => {
  it('are taken in the order of the key, whatever the plan and the places of the bars', async () => {
    const own = await createDatabase();
    // Bars are found in the order of their places when the planner has no other way to join.
    const name = new URL(own.url).pathname.slice(1);
    for (const way of ['hashjoin', 'mergejoin', 'indexscan', 'bitmapscan'])
      await own.query(`ALTER DATABASE ${name} SET enable_${way} = off`);
    const merging = await openSink(own.url);
    const holder = new Client({ connectionString: own.url });
    await holder.connect();
    const version = (receivedAt: number, close: number) =>
      batch(receivedAt, 'LOCKS', ...Array<number>(5).fill(close));
    try {
      await merging.sink.write([version(moment(1), 5)]);
      await own.query('CREATE TABLE kept AS SELECT * FROM bars');
      await own.query('TRUNCATE bars');
      await own.query('INSERT INTO bars SELECT * FROM kept ORDER BY ts DESC');
      await own.query(
        `INSERT INTO bars SELECT 1000000 + n, '2026-01-07Z', 1, 9, 0, 5, 5, '2026-06-01Z' FROM generate_series(1, 20000) AS n`,
      );
      await own.query('ANALYZE bars');
      const middle = new Date((FIRST_DAY + 2 * DAY_US) / 1000);
      await holder.query('BEGIN');
      await holder.query('SELECT FROM bars WHERE series_id < 1000000 AND ts = $1 FOR UPDATE', [middle]);
      const merged = merging.sink.write([version(moment(2), 6)]);
      await eventually('the merge waits', async () => {
        const waiting = await own.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return waiting.length === 1;
      });
      const free = await own.query<{ ts: Date }>(
        'SELECT ts FROM bars WHERE series_id < 1000000 ORDER BY ts FOR UPDATE SKIP LOCKED',
      );
      expect(free.map(({ ts }) => ts > middle)).toEqual([true, true]);
      await holder.query('COMMIT');
      await expect(merged).resolves.toEqual([{ inserted: 0, updated: 5, unchanged: 0, superseded: 0 }]);
    } finally {
      await holder.end();
      await merging.close();
      await own.drop();
    }
  });
});
