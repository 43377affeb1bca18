import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Client } from 'pg';
import { DataSource } from 'typeorm';

import { dataSourceOptions } from '../../ormconfig.js';
import { barBatchCodec } from '../../src/bars/bar.batch.codec.js';
import type { BarBatch } from '../../src/bars/bar.batch.js';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import { BarSink, type Lane } from '../../src/bars/bar.sink.js';
import { SeriesStore } from '../../src/bars/series.store.js';
import { Database } from '../../src/database/database.js';
import { PartitionStore } from '../../src/database/partition.store.js';
import { SchemaMigrator } from '../../src/database/schema.migrator.js';
import type { WriteCounts } from '../../src/bars/write.counts.js';
import { lookUpFailure } from '../../src/coordinator/failure.table.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { versionsOf } from './stored.versions.js';

const DAY_US = 86_400_000_000;
const FIRST_DAY = Date.UTC(2026, 0, 5) * 1000;

let test: TestDatabase;
let database: Database;
let sink: BarSink;
let lanes: Lane[] = [];

beforeAll(async () => {
  test = await createDatabase();
  const partitions = new PartitionStore(test.url);
  database = new Database(
    new DataSource(dataSourceOptions(test.url)),
    new SchemaMigrator(test.url, test.url),
    partitions,
    { migrated: () => undefined, openFailed: () => undefined, connectionLost: () => undefined },
    4,
  );
  await database.open();
  sink = new BarSink(database, new SeriesStore(), partitions, {
    tried: (lane) => lanes.push(lane),
    dated: () => undefined,
  });
});

afterAll(async () => {
  await database.close();
  await test.drop();
});

/** A batch with one bar a day; a close of undefined leaves the day out. */
function batch(receivedAt: number, symbol: string, closes: readonly (number | undefined)[]): BarBatch {
  const builder = new BarBatchBuilder();
  closes.forEach((close, day) => {
    if (close !== undefined) builder.add('test', symbol, '1d', FIRST_DAY + day * DAY_US, 1, 9, 0, close, 5);
  });
  return Object.assign(builder.finish(), { receivedAt });
}

/** Unix microseconds of some moment and a little later. */
const moment = (offset: number): number => Date.UTC(2026, 5, 1) * 1000 + offset;

async function closes(symbol: string): Promise<number[]> {
  const rows = await test.query<{ close: number }>(
    'SELECT close FROM bars_ohlcv WHERE symbol = $1 ORDER BY ts',
    [symbol],
  );
  return rows.map((row) => row.close);
}

/** The versions of a series' first bar, as offsets from moment(0). */
const history = (symbol: string) => versionsOf(test, symbol, FIRST_DAY, moment(0));

describe('the sink', () => {
  it('copies new bars straight into the table and merges when some are stored already', async () => {
    lanes = [];
    await expect(sink.write([batch(moment(1), 'LANES', [1, 2])])).resolves.toEqual([
      { inserted: 2, updated: 0, unchanged: 0, superseded: 0 },
    ]);
    expect(lanes).toEqual(['COPY']);
    await expect(sink.write([batch(moment(2), 'LANES', [1, 3, 4])])).resolves.toEqual([
      { inserted: 1, updated: 1, unchanged: 1, superseded: 0 },
    ]);
    expect(lanes).toEqual(['COPY', 'UPSERT']);
    await expect(closes('LANES')).resolves.toEqual([1, 3, 4]);
  });

  it('finds the way of each write after one that met a stored bar', async () => {
    await sink.write([batch(moment(1), 'WAYS', [1, 2])]);
    lanes = [];
    const closesOf = [
      [3],
      [4, 5],
      [undefined, undefined, 6, 7],
      [undefined, 8],
      [undefined, undefined, 9, 9, 9],
    ];
    const counts = [];
    for (const [index, values] of closesOf.entries()) {
      counts.push(...(await sink.write([batch(moment(index + 2), 'WAYS', values)])));
    }
    expect(lanes).toEqual(['UPSERT', 'UPSERT', 'COPY', 'UPSERT', 'UPSERT']);
    expect(counts.map(({ inserted, updated }) => [inserted, updated])).toEqual([
      [0, 1],
      [0, 2],
      [2, 0],
      [0, 1],
      [1, 2],
    ]);
    await expect(closes('WAYS')).resolves.toEqual([4, 8, 9, 9, 9]);
  });

  it('keeps the values received last when batches are committed in the opposite order', async () => {
    await sink.write([batch(moment(20), 'ORDER', [2])]);
    await expect(sink.write([batch(moment(10), 'ORDER', [1])])).resolves.toEqual([
      { inserted: 0, updated: 0, unchanged: 0, superseded: 1 },
    ]);
    await expect(closes('ORDER')).resolves.toEqual([2]);
    await expect(history('ORDER')).resolves.toEqual([
      [1, 10, 20],
      [2, 20, null],
    ]);
  });

  it('does not let a late version replace a bar that was confirmed after it', async () => {
    await sink.write([batch(moment(5), 'CONFIRMED', [1])]);
    await sink.write([batch(moment(10), 'CONFIRMED', [1])]);
    await sink.write([batch(moment(7), 'CONFIRMED', [2])]);
    await expect(closes('CONFIRMED')).resolves.toEqual([1]);
    await expect(history('CONFIRMED')).resolves.toEqual([
      [1, 5, 7],
      [2, 7, 10],
      [1, 10, null],
    ]);
  });

  it('gives each of several batches written together its own counts, in the order given', async () => {
    await sink.write([batch(moment(1), 'TOGETHER', [1])]);
    await expect(
      sink.write([
        batch(moment(3), 'TOGETHER', [3, 3]),
        batch(moment(2), 'TOGETHER', [2, undefined, 7]),
        batch(moment(4), 'TOGETHER', [3, 4]),
      ]),
    ).resolves.toEqual([
      { inserted: 1, updated: 1, unchanged: 0, superseded: 0 },
      { inserted: 1, updated: 1, unchanged: 0, superseded: 0 },
      { inserted: 0, updated: 1, unchanged: 1, superseded: 0 },
    ]);
    await expect(closes('TOGETHER')).resolves.toEqual([3, 4, 7]);
  });

  it('counts each bar once when parts of one body are given again together', async () => {
    await sink.write([batch(moment(2), 'PARTS', [5])]);
    const part = (...closes: (number | undefined)[]) => batch(moment(1), 'PARTS', closes);
    const counts = await sink.write([part(1), part(undefined, 2), part(undefined, undefined, 3)]);
    const sum = (name: keyof WriteCounts) => counts.reduce((total, count) => total + (count[name] ?? 0), 0);
    expect([sum('inserted'), sum('updated'), sum('unchanged'), sum('superseded')]).toEqual([2, 0, 0, 1]);
    expect(Math.min(...counts.map(({ unchanged }) => unchanged))).toBe(0);
    await expect(closes('PARTS')).resolves.toEqual([5, 2, 3]);
  });

  it('counts a batch whose commit was not heard of as the first try would have', async () => {
    await sink.write([batch(moment(1), 'AGAIN', [1, 2])]);
    const second = batch(moment(2), 'AGAIN', [1, 5, 6]);
    const counts = await sink.write([second]);
    await expect(sink.write([second])).resolves.toEqual(counts);
    expect(counts).toEqual([{ inserted: 1, updated: 1, unchanged: 1, superseded: 0 }]);
    await expect(
      test.query('SELECT 1 FROM bar_revisions JOIN series ON id = series_id WHERE symbol = $1', ['AGAIN']),
    ).resolves.toHaveLength(1);
  });

  it('counts it so too when it is written again together with a later one', async () => {
    await sink.write([batch(moment(1), 'WITH', [1, 2, 3])]);
    const unheard = batch(moment(2), 'WITH', [1, 5, undefined, 6]);
    await sink.write([unheard]);
    const later = batch(moment(3), 'WITH', [undefined, undefined, 7, undefined, 8]);
    await expect(sink.write([unheard, later])).resolves.toEqual([
      { inserted: 1, updated: 1, unchanged: 1, superseded: 0 },
      { inserted: 1, updated: 1, unchanged: 0, superseded: 0 },
    ]);
  });

  it('makes no series of which a part of a batch has no bar', async () => {
    const builder = new BarBatchBuilder();
    for (const symbol of ['SLICE1', 'SLICE2', 'SLICE3'])
      builder.add('test', symbol, '1d', FIRST_DAY, 1, 9, 0, Number(symbol.at(-1)), 5);
    const whole = Object.assign(builder.finish(), { receivedAt: moment(1) });
    await sink.write([barBatchCodec.slice(whole, 1, 2)]);
    await expect(test.query(`SELECT symbol FROM series WHERE symbol LIKE 'SLICE_'`)).resolves.toEqual([
      { symbol: 'SLICE2' },
    ]);
    await expect(closes('SLICE2')).resolves.toEqual([2]);
    await sink.write([barBatchCodec.slice(whole, 1, 3)]);
    await expect(closes('SLICE3')).resolves.toEqual([3]);
  });

  it('makes the partition that a bar needs, also when somebody removed it meanwhile', async () => {
    const old = (receivedAt: number) => {
      const builder = new BarBatchBuilder();
      builder.add('test', 'OLD', '1d', Date.UTC(1962, 0, 2) * 1000, 1, 1, 1, 1, 1);
      return Object.assign(builder.finish(), { receivedAt });
    };
    await sink.write([old(moment(1))]);
    await test.query('DROP TABLE bars_1962');
    await expect(sink.write([old(moment(2))])).resolves.toEqual([
      { inserted: 1, updated: 0, unchanged: 0, superseded: 0 },
    ]);
  });

  it('replaces and confirms bars of several years in one write', async () => {
    // Written alike, the bars of one year lie at the same places within their partition as those of the other.
    const years = [1971, 1973];
    const inBoth = (receivedAt: number, closeOf: (year: number, day: number) => number) => {
      const builder = new BarBatchBuilder();
      for (const year of years)
        for (let day = 1; day <= 20; day++)
          builder.add(
            'test',
            'YEARS',
            '1d',
            Date.UTC(year, 0, day) * 1000,
            1,
            9_999,
            0,
            closeOf(year, day),
            5,
          );
      return Object.assign(builder.finish(), { receivedAt });
    };
    const before = (year: number, day: number) => year + day;
    const after = (year: number, day: number) => (day % 4 === (year === 1971 ? 1 : 3) ? 2 : 1) * (year + day);
    await sink.write([inBoth(moment(10), before)]);
    await expect(sink.write([inBoth(moment(20), after)])).resolves.toEqual([
      { inserted: 0, updated: 10, unchanged: 30, superseded: 0 },
    ]);
    const days = Array.from({ length: 20 }, (_, index) => index + 1);
    const current = years.flatMap((year) => days.map((day) => after(year, day)));
    await expect(closes('YEARS')).resolves.toEqual(current);
    // Replaced or confirmed at 20, all of them: what was received before that and comes late changes none.
    await sink.write([inBoth(moment(15), () => 3)]);
    await expect(closes('YEARS')).resolves.toEqual(current);
  });

  it('lets the values decide when two replicas received different ones in the same microsecond', async () => {
    for (const [symbol, first, second] of [
      ['TIE1', 1.5, 2.5],
      ['TIE2', 2.5, 1.5],
    ] as const) {
      await expect(sink.write([batch(moment(1), symbol, [first])])).resolves.toEqual([
        { inserted: 1, updated: 0, unchanged: 0, superseded: 0 },
      ]);
      const wins = second > first;
      await expect(sink.write([batch(moment(1), symbol, [second])])).resolves.toEqual([
        { inserted: 0, updated: wins ? 1 : 0, unchanged: 0, superseded: wins ? 0 : 1 },
      ]);
      await expect(closes(symbol)).resolves.toEqual([2.5]);
    }
  });

  it('asks for the ids of series again when every connection was cut, as in a failover', async () => {
    await sink.write([batch(moment(1), 'FAILOVER', [1])]);
    // Another server may have given the id to another series.
    await test.query(`UPDATE series SET symbol = 'SOMEBODY_ELSE' WHERE symbol = 'FAILOVER'`);
    await test.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'market-data-store'`,
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    await sink.write([batch(moment(2), 'FAILOVER', [2, 3])]);
    await expect(closes('FAILOVER')).resolves.toEqual([2, 3]);
    await expect(closes('SOMEBODY_ELSE')).resolves.toEqual([1]);
  });

  it('sees the confirmation by a writer that it waited for', async () => {
    await sink.write([batch(moment(5), 'WAITED', [1])]);
    const other = new Client({ connectionString: test.url });
    await other.connect();
    try {
      // As another replica confirms the bar at 10: it locks the bar, and notes the confirmation.
      const ofBar = `FROM bars JOIN series ON id = series_id WHERE symbol = 'WAITED'`;
      await other.query(`BEGIN; SELECT ${ofBar} FOR NO KEY UPDATE OF bars`);
      const late = sink.write([batch(moment(7), 'WAITED', [2])]);
      await eventually('the late version waits', async () => {
        const waiting = await test.query(`SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`);
        return waiting.length === 1;
      });
      await other.query(
        `INSERT INTO bar_confirmations SELECT series_id, ts, to_timestamp(${moment(10) / 1e6}) ${ofBar}`,
      );
      await other.query('COMMIT');
      await expect(late).resolves.toEqual([{ inserted: 0, updated: 0, unchanged: 0, superseded: 1 }]);
    } finally {
      await other.end();
    }
    await expect(closes('WAITED')).resolves.toEqual([1]);
  });

  it('takes new bars in opposite orders from writers at once', async () => {
    const days = Array.from({ length: 300 }, (_, day) => day);
    const inOrder = (receivedAt: number, order: readonly number[]) => {
      const builder = new BarBatchBuilder();
      for (const day of order) builder.add('test', 'CROSSED', '1d', FIRST_DAY + day * DAY_US, 1, 9, 0, 5, 5);
      return Object.assign(builder.finish(), { receivedAt });
    };
    const reversed = [...days].reverse();
    await Promise.all(
      [1, 2, 3, 4].map((writer) => sink.write([inOrder(moment(writer), writer % 2 === 0 ? days : reversed)])),
    );
    await expect(closes('CROSSED')).resolves.toHaveLength(300);
  });

  it('does not deadlock when many writers merge the same bars at once', async () => {
    const days = Array.from({ length: 200 }, (_, day) => day);
    await sink.write([batch(moment(0), 'CROWD', days)]);
    await Promise.all(
      days.slice(0, 24).map((writer) =>
        sink.write([
          batch(
            moment(writer + 1),
            'CROWD',
            days.map(() => writer % 9),
          ),
        ]),
      ),
    );
    await expect(closes('CROWD')).resolves.toEqual(days.map(() => 23 % 9));
  });

  const inAnyOrder = async (symbolPrefix: string, write: (groups: BarBatch[][]) => Promise<unknown>) => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat({ max: 2 }), { minLength: 6, maxLength: 6 }),
        fc.array(fc.nat({ max: 2 }), { minLength: 6, maxLength: 6 }),
        async (receipts, values, groups) => {
          run += 1;
          const symbol = `${symbolPrefix}${run}`;
          const batches = receipts.map((receipt, index) => batch(moment(receipt), symbol, [values[index]]));
          const together = [0, 1, 2].map((group) => batches.filter((_, index) => groups[index] === group));
          await write(together.filter((group) => group.length > 0));
          const inOrder = receipts
            .map((receipt, index) => [receipt, values[index]] as const)
            .sort(([a], [b]) => a - b);
          const last = inOrder[inOrder.length - 1]?.[1];
          expect(await closes(symbol)).toEqual([last]);
          // Spans follow each other without a gap, and at each receipt the value received is the one known.
          const versions = await history(symbol);
          versions.slice(1).forEach(([, from], index) => expect(versions[index]?.[2]).toBe(from));
          if (new Set(inOrder.map(([, value]) => value)).size === inOrder.length) {
            expect(versions.map(([close, from]) => [from, close])).toEqual(inOrder);
          }
        },
      ),
      { numRuns: 150 },
    );
  };

  it('ends with the same bars and, for different values, the same history in every order of commit', async () => {
    await inAnyOrder('RUN', async (groups) => {
      for (const group of groups) await sink.write(group);
    });
  });

  it('ends so also when they are written at once', async () => {
    await inAnyOrder('ATONCE', (groups) => Promise.all(groups.map((group) => sink.write(group))));
  });
});

describe('a history that takes nothing', () => {
  it('blames no bar', async () => {
    await sink.write([batch(moment(1), 'HISTORY', [1])]);
    await test.query('ALTER TABLE bar_revisions ADD COLUMN why text');
    await test.query('ALTER TABLE bar_revisions ADD CONSTRAINT why CHECK (why IS NOT NULL) NOT VALID');
    const error = await sink.write([batch(moment(2), 'HISTORY', [2])]).catch((reason: unknown) => reason);
    expect(lookUpFailure(error).class).toBe('unknown');
    expect((error as Error).message).toMatch(/the history of bars is refused.*why/);
    await test.query('ALTER TABLE bar_revisions DROP COLUMN why');
    await expect(sink.write([batch(moment(2), 'HISTORY', [2])])).resolves.toMatchObject([{ updated: 1 }]);
  });
});

describe('a partition of this year that stands apart', () => {
  it('does not keep the database from being opened', async () => {
    const year = new Date().getUTCFullYear();
    await test.query(`ALTER TABLE bars DETACH PARTITION bars_${year}`);
    const other = new Database(
      new DataSource(dataSourceOptions(test.url)),
      new SchemaMigrator(test.url, test.url),
      new PartitionStore(test.url),
      { migrated: () => undefined, openFailed: () => undefined, connectionLost: () => undefined },
      2,
    );
    await other.open();
    expect(other.isOpen).toBe(true);
    await other.close();
    await test.query(
      `ALTER TABLE bars ATTACH PARTITION bars_${year} FOR VALUES FROM ('${year}-01-01T00:00Z') TO ('${year + 1}-01-01T00:00Z')`,
    );
  });
});
