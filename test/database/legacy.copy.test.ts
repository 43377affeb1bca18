import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { LegacyCopier, type LegacyObserver } from '../../src/bars/legacy/legacy.copier.js';
import { LegacyCopy, type LegacyProgress } from '../../src/bars/legacy/legacy.copy.js';
import { listLegacySeries } from '../../src/bars/legacy/legacy.series.js';
import { SeriesStore } from '../../src/bars/series.store.js';
import { SymbolCase, UPPER_CASE } from '../../src/bars/symbol.case.js';
import { PartitionStore } from '../../src/database/partition.store.js';
import { SchemaMigrator } from '../../src/database/schema.migrator.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { addLegacyRows, createLegacyTable, type LegacyRow } from '../support/legacy.js';
import { mayRead, withRole } from '../support/role.js';

let test: TestDatabase;
const clients: Client[] = [];

beforeEach(async () => {
  test = await createDatabase('template0');
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
  await test.drop();
});

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: test.url });
  client.on('error', () => undefined);
  clients.push(client);
  await client.connect();
  return client;
}

const migrate = () => new SchemaMigrator(test.url, test.url).migrate();
const newCopy = (client: Client, symbolCase = UPPER_CASE) =>
  new LegacyCopy(client, new PartitionStore(test.url), new SeriesStore(), symbolCase);

/** Migrates and copies to the end, so many rows at a time. */
async function copyAll(rows = 1_000, symbolCase?: SymbolCase): Promise<LegacyProgress | undefined> {
  await migrate();
  const copy = newCopy(await connect(), symbolCase);
  while (await copy.copyPage(rows)) continue;
  return await copy.progress();
}

const stored = () =>
  test.query(
    `SELECT symbol, interval, ts, open, high, low, close, volume, updated_at FROM bars_ohlcv
      ORDER BY provider, symbol, interval, ts`,
  );
const left = () => test.query('SELECT symbol, interval, reason, rows::int FROM legacy_left ORDER BY 3, 1, 2');
const writeBar = (day: number, values: string, receivedAt: string) =>
  test.query(
    `INSERT INTO bars SELECT id, timestamptz '2024-01-01Z' + $1 * interval '1 day', ${values}, $2 FROM series`,
    [day, receivedAt],
  );

describe('the copy of an earlier table', () => {
  it('has the time of receipt of each row, and the numbers bit by bit', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [
      {
        values: "0.1234567890123457, '5e-324'::float8 + 1, -0.3, 0.30000000000000004, 5e-324",
        updated: '2024-02-01T10:00:00.123456Z',
      },
    ]);
    await copyAll();
    expect(await stored()).toEqual([
      {
        ...{ symbol: 'AAPL', interval: '1d', ts: new Date('2024-01-02Z') },
        ...{ open: 0.1234567890123457, high: 1, low: -0.3, close: 0.30000000000000004, volume: 5e-324 },
        updated_at: new Date('2024-02-01T10:00:00.123Z'),
      },
    ]);
    const [exact] = await test.query<{ at: string }>("SELECT to_char(received_at, 'US') AS at FROM bars");
    expect(exact?.at).toBe('123456');
  });

  it('tells how many rows are to come of a table without statistics, and 0 at the end only', async () => {
    await createLegacyTable(test);
    await test.query('ALTER TABLE bars_ohlcv SET (autovacuum_enabled = false)');
    await test.query(`
      INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close, volume)
      SELECT 'ibkr', 'A', '1m', timestamptz '2024-01-02Z' + at * interval '1 minute', 1, 2, 1, 2, at
        FROM generate_series(1, 5000) at`);
    await migrate();
    const copy = newCopy(await connect());
    const pending: unknown[] = [];
    while (await copy.copyPage(1_250)) pending.push((await copy.progress())?.pending);
    pending.push((await copy.progress())?.pending);
    expect(pending).toEqual([3_750, 2_500, 1_250, 1, 0]);
  });

  it.each([
    ['numeric', 'bigint'],
    ['numeric(20,8)', 'numeric'],
    ['real', 'integer'],
  ])('takes prices of type %s and a volume of type %s', async (price, volume) => {
    await createLegacyTable(test, { price, volume, interval: 'varchar(8)' });
    await addLegacyRows(test, [{ values: '1.5, 2.25, 1.125, 2, 300' }]);
    expect(await copyAll()).toMatchObject({ completed: true, copied: 1, left: 0, rounded: 0, pending: 0 });
    expect(await stored()).toMatchObject([{ open: 1.5, high: 2.25, low: 1.125, close: 2, volume: 300 }]);
  });

  it('rounds to the nearest float8 and counts the rows, and leaves numbers that none is near', async () => {
    await createLegacyTable(test, { price: 'numeric' });
    await addLegacyRows(test, [
      { ts: '2024-01-02Z', values: '0.1, 0.1, 0.1, 0.1, 12345678901234567890.5' },
      { ts: '2024-01-03Z', values: '1, 1, 1, 1, 1e400' },
      { ts: '2024-01-04Z', values: "1, 'Infinity', 1, 1, 1" },
      { ts: '2024-01-05Z', values: "1, 1, 1, 'NaN', 1" },
    ]);
    expect(await copyAll()).toMatchObject({ copied: 1, left: 3, rounded: 1 });
    expect(await stored()).toMatchObject([{ open: 0.1, volume: 12345678901234567000 }]);
    expect(await left()).toEqual([{ symbol: 'AAPL', interval: '1d', reason: 'not-finite', rows: 3 }]);
  });

  it('leaves what the service refuses, counted by series and reason', async () => {
    await createLegacyTable(test);
    const day = (at: number) => `2024-01-${String(at).padStart(2, '0')}Z`;
    await addLegacyRows(test, [
      { ts: day(1), values: '1, 1, 1, 1, -1' },
      { ts: day(2), values: '1, 1, 1, NULL, 1' },
      { ts: day(3), values: '1, 1, 2, 1, 1' },
      { ts: day(4), values: '2, 1, 1, 1, 1' },
      { ts: '0044-03-15 BC' },
      { ts: 'infinity' },
      { ts: day(5), updated: '-infinity' },
      { ts: day(6), symbol: 'BRK B' },
      { ts: day(7), symbol: 'SPY,QQQ' },
      { ts: day(8), interval: '1M' },
      { ts: day(9), provider: 'a b' },
      // Noise of adjusted prices is none of it.
      { ts: day(10), values: '7.578763484954834, 7.578763484954833, 7.5, 7.5, 1' },
    ]);
    const progress = await copyAll(5);
    expect(progress).toMatchObject({ completed: true, copied: 1, left: 11 });
    expect(Object.fromEntries(progress?.reasons ?? [])).toEqual({
      'negative-volume': 1,
      'missing-field': 1,
      'prices-inconsistent': 2,
      'ts-out-of-range': 2,
      'no-time-of-receipt': 1,
      'invalid-symbol': 2,
      'invalid-interval': 1,
      'invalid-provider': 1,
    });
    await expect(test.query('SELECT FROM bars_ohlcv_legacy')).resolves.toHaveLength(12);
  });

  it('writes symbols in upper case, but keeps apart those that differ in case only', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [
      { symbol: 'msft' },
      { symbol: 'BCPC', values: '157, 157, 157, 157, 1' },
      { symbol: 'BCpC', values: '0.4, 0.4, 0.4, 0.4, 1' },
      { symbol: 'BCpC', values: '0.4, 0.4, 0.4, 0.4, 1', interval: '1m' },
      { symbol: 'Brk', provider: 'other' },
      { symbol: 'bRK', provider: 'other' },
      { symbol: 'brk', provider: 'third' },
    ]);
    expect(await copyAll()).toMatchObject({ copied: 3, left: 4 });
    expect(await stored()).toMatchObject([
      { symbol: 'BCPC', close: 157 },
      { symbol: 'MSFT' },
      { symbol: 'BRK' },
    ]);
    expect(await left()).toMatchObject([
      { symbol: 'BCpC', interval: '1d', reason: 'symbol-case-conflict' },
      { symbol: 'BCpC', interval: '1m' },
      { symbol: 'Brk' },
      { symbol: 'bRK' },
    ]);
  });

  it('keeps the case of symbols of providers that tell them apart by it', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [
      { symbol: 'BCPC' },
      { symbol: 'BCpC' },
      { symbol: 'BCpC', provider: 'other' },
    ]);
    expect(await copyAll(10, new SymbolCase(['ibkr']))).toMatchObject({ copied: 3, left: 0 });
    expect(await stored()).toMatchObject([{ symbol: 'BCPC' }, { symbol: 'BCpC' }, { symbol: 'BCPC' }]);
  });

  it.each([1, 2, 100])('merges spellings of one interval, %i rows at a time', async (rows) => {
    await createLegacyTable(test);
    await addLegacyRows(test, [
      { interval: '5m', values: '1, 1, 1, 1, 1', updated: '2024-02-01Z' },
      { interval: '5min', values: '2, 2, 2, 2, 2', updated: '2024-02-03Z' },
      { interval: '5 mins', values: '3, 3, 3, 3, 3', updated: '2024-02-02Z' },
      { interval: '5MIN', values: '4, 4, 4, 4, 4', updated: '2024-02-03Z' },
    ]);
    expect(await copyAll(rows)).toMatchObject({ copied: 3, left: 1 });
    // Of one time only one can stay; the other is counted.
    const [bar] = (await stored()) as { close: number }[];
    expect([2, 4]).toContain(bar?.close);
    await expect(test.query('SELECT close FROM bar_revisions ORDER BY received_at')).resolves.toEqual([
      { close: 1 },
      { close: 3 },
    ]);
    expect(await left()).toMatchObject([{ reason: 'same-time', rows: 1 }]);
  });

  it('never replaces a bar that was received later, and files the earlier values', async () => {
    await createLegacyTable(test);
    const rows: LegacyRow[] = [2, 3, 4].map((day) => ({ ts: `2024-01-0${day}Z` }));
    await addLegacyRows(test, rows);
    await migrate();
    await new PartitionStore(test.url).ensure([2024]);
    await test.query("INSERT INTO series (provider, symbol, interval) VALUES ('ibkr', 'AAPL', '1d')");
    await writeBar(1, '1, 9, 1, 9, 9', '2024-03-01Z');
    await writeBar(2, '1, 8, 1, 8, 8', '2024-01-15Z');
    expect(await copyAll(2)).toMatchObject({ copied: 3, left: 0 });
    expect(await stored()).toMatchObject([
      { close: 9, updated_at: new Date('2024-03-01Z') },
      { close: 2, updated_at: new Date('2024-02-01Z') },
      { close: 2, updated_at: new Date('2024-02-01Z') },
    ]);
    await expect(
      test.query('SELECT close, received_at, superseded_at FROM bar_revisions ORDER BY ts'),
    ).resolves.toEqual([
      { close: 2, received_at: new Date('2024-02-01Z'), superseded_at: new Date('2024-03-01Z') },
      { close: 8, received_at: new Date('2024-01-15Z'), superseded_at: new Date('2024-02-01Z') },
    ]);
  });

  it('dates rows from the future to when the table was taken over', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [{ updated: '2199-01-01Z' }]);
    await copyAll();
    await expect(
      test.query('SELECT FROM bars, legacy_copy WHERE received_at = adopted_at'),
    ).resolves.toHaveLength(1);
  });

  it('leaves a row that a constraint of somebody refuses, and copies the others', async () => {
    await createLegacyTable(test);
    await addDays(30);
    await migrate();
    await test.query('ALTER TABLE bars ADD CHECK (volume <> 17)');
    const told: LegacyProgress[] = [];
    await copierOf(told).run(new AbortController().signal);
    expect(told.at(-1)).toMatchObject({ completed: true, copied: 29, left: 1 });
    expect(await left()).toMatchObject([{ reason: 'refused-by-database', rows: 1 }]);
  });

  it('can be made once more when rows that were left have been mended', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [{ symbol: 'BRK B' }, { ts: '2024-01-03Z' }]);
    expect(await copyAll()).toMatchObject({ copied: 1, left: 1 });
    await test.query("UPDATE bars_ohlcv_legacy SET symbol = 'BRK.B' WHERE symbol = 'BRK B'");
    // As docs/upgrade.md says.
    await test.query(
      'UPDATE legacy_copy SET listed_at = NULL, position = NULL, completed_at = NULL, rows_read = 0, rows_left = 0, rows_rounded = 0',
    );
    await test.query('DELETE FROM legacy_left');
    expect(await copyAll()).toMatchObject({ completed: true, copied: 2, left: 0 });
    expect(await stored()).toMatchObject([{ symbol: 'AAPL' }, { symbol: 'BRK.B' }]);
    await expect(test.query('SELECT FROM bar_revisions')).resolves.toEqual([]);
  });

  it('is the same when it is cut before and after any statement', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [
      ...[1, 2, 3].map((day) => ({ ts: `2024-01-0${day}Z`, interval: '5m' })),
      ...[2, 3].map((day) => ({
        ts: `2024-01-0${day}Z`,
        interval: '5min',
        updated: '2024-03-01Z',
        values: '2, 2, 2, 2, 2',
      })),
      { symbol: 'no symbol' },
    ]);
    await migrate();
    let cuts = 0;
    for (let more = true; more; cuts++) {
      const client = await connect();
      const cut = cutAt(client, Math.floor(cuts / 2), cuts % 2 === 0);
      const copy = newCopy(cut.client);
      try {
        while (await copy.copyPage(2)) continue;
        more = cut.reached();
      } catch (error) {
        if (!cut.reached()) throw error;
      }
      await client.end();
    }
    expect(cuts).toBeGreaterThan(30);
    const progress = await newCopy(await connect()).progress();
    expect(progress).toMatchObject({ completed: true, copied: 5, left: 1 });
    expect(await stored()).toMatchObject([{ close: 2, high: 3 }, { high: 2 }, { high: 2 }]);
    await expect(test.query('SELECT FROM bar_revisions')).resolves.toHaveLength(2);
    expect(await left()).toMatchObject([{ rows: 1 }]);
  });

  it('is made by one of two replicas at a time', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [{ ts: '2024-01-02Z' }, { ts: '2024-01-03Z' }]);
    await migrate();
    await storeEarlier();
    const writer = await connect();
    await writer.query('BEGIN');
    await writer.query('SELECT FROM bars FOR UPDATE');
    const told: LegacyProgress[][] = [[], []];
    const looks = [0, 0];
    const runs = told.map((list, copier) => {
      const observe = { counted: () => void (looks[copier] = (looks[copier] ?? 0) + 1) };
      return copierOf(list, observe).run(new AbortController().signal);
    });
    await eventually('one replica waits and the other looks again', async () => {
      return (await waiting()) === 1 && looks.some((count) => count > 2);
    });
    expect(told.map((list) => list.length).sort()).toEqual([0, 1]);
    await writer.query('COMMIT');
    await Promise.all(runs);
    for (const list of told) expect(list.at(-1)).toMatchObject({ completed: true, copied: 2 });
    await expect(test.query('SELECT FROM bars')).resolves.toHaveLength(2);
  });

  it('lists the series however short a statement may be by the settings of the role', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [{}]);
    await migrate();
    const [client, holder] = [await connect(), await connect()];
    await client.query('SET statement_timeout = 300');
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE legacy_series');
    const listed = listLegacySeries(client, UPPER_CASE);
    await Promise.all([listed, holder.query('SELECT pg_sleep(1)').then(() => holder.query('COMMIT'))]);
    await expect(test.query('SELECT FROM legacy_series')).resolves.toHaveLength(1);
  });

  it('takes fewer rows at a time when a statement may not last', async () => {
    await createLegacyTable(test);
    await addDays(30);
    await migrate();
    await guardBars('PERFORM pg_sleep(0.02)');
    await test.query(
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 500', current_database()); END $$`,
    );
    expect(await copyThrough()).toMatchObject({ completed: true, copied: 30, left: 0 });
  });

  it('leaves a row that a unique index of somebody refuses, and copies the others', async () => {
    await createLegacyTable(test);
    await addDays(28);
    await migrate();
    await test.query('CREATE TABLE taken (volume float8 PRIMARY KEY)');
    await test.query('INSERT INTO taken VALUES (17)');
    await guardBars('INSERT INTO taken VALUES (NEW.volume)');
    expect(await copyThrough()).toMatchObject({ completed: true, copied: 27, left: 1 });
    expect(await left()).toMatchObject([{ reason: 'refused-by-database', rows: 1 }]);
  });

  it('waits for a writer of stored bars before it adds any, as every write does', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [{ ts: '2024-01-02Z' }, { ts: '2024-01-03Z' }]);
    await migrate();
    await storeEarlier();
    const [client, writer] = [await connect(), await connect()];
    await writer.query('BEGIN');
    await writer.query('SELECT FROM bars FOR NO KEY UPDATE');
    const copy = newCopy(client);
    const copied = copy.copyPage(10);
    copied.catch(() => undefined);
    await eventually('the copy waits', async () => (await waiting()) === 1);
    await writer.query(
      `INSERT INTO bars SELECT id, '2024-01-03Z', 1, 1, 1, 1, 1, '2024-01-10Z' FROM series ON CONFLICT DO NOTHING`,
    );
    await writer.query('COMMIT');
    await copied;
    expect(await stored()).toMatchObject([{ volume: 10 }, { volume: 10 }]);
  });

  it('makes a partition again that somebody removed', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [{}]);
    await migrate();
    const partitions = new PartitionStore(test.url);
    await partitions.ensure([2024]);
    await test.query('DROP TABLE bars_2024');
    const client = await connect();
    const copy = new LegacyCopy(client, partitions, new SeriesStore(), UPPER_CASE);
    await expect(copy.copyPage(10)).rejects.toThrow(/no partition/);
    await client.query('ROLLBACK');
    await copy.copyPage(10);
    await expect(stored()).resolves.toHaveLength(1);
  });

  it('reads times as they are, however the settings of the role write them', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [{}]);
    await migrate();
    await storeEarlier();
    const client = await connect();
    // PostgreSQL writes ChST for Guam, and cannot read it.
    await client.query(`SET TimeZone = 'Pacific/Guam'; SET DateStyle = 'SQL, DMY'`);
    await newCopy(client).copyPage(10);
    expect(await stored()).toMatchObject([{ volume: 10 }]);
  });
});

/** A bar of the first day that was received before the rows of the table were. */
async function storeEarlier(): Promise<void> {
  await new PartitionStore(test.url).ensure([2024]);
  await test.query("INSERT INTO series (provider, symbol, interval) VALUES ('ibkr', 'AAPL', '1d')");
  await writeBar(1, '1, 8, 1, 8, 8', '2024-01-15Z');
}

/** A row of each day of January, with the day before as volume. */
function addDays(days: number): Promise<void> {
  return addLegacyRows(
    test,
    Array.from({ length: days }, (_, day) => ({
      ts: `2024-01-${String(day + 1).padStart(2, '0')}Z`,
      values: `1, 1, 1, 1, ${day}`,
    })),
  );
}

/** Makes PostgreSQL do something for each bar that is inserted. */
async function guardBars(statement: string): Promise<void> {
  await test.query(
    `CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${statement}; RETURN NEW; END $$`,
  );
  await test.query('CREATE TRIGGER guard BEFORE INSERT ON bars FOR EACH ROW EXECUTE FUNCTION guard()');
}

/** Connections that wait for a lock. */
async function waiting(): Promise<number> {
  const rows = await test.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows.length;
}

function copierOf(told: LegacyProgress[], observe: Partial<LegacyObserver> = {}): LegacyCopier {
  return new LegacyCopier({
    adminUrl: test.url,
    partitions: new PartitionStore(test.url),
    symbolCase: UPPER_CASE,
    isBusy: () => false,
    againMs: 10,
    observe: {
      counted: () => undefined,
      told: (progress) => told.push(progress),
      failed: (error) => {
        throw error;
      },
      ...observe,
    },
  });
}

/** A connection that is cut at its n-th statement, before or after the server has done it. */
function cutAt(client: Client, statement: number, before: boolean) {
  let count = 0;
  let reached = false;
  const proxy = new Proxy(client, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (property !== 'query' || typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        reached ||= count++ === statement;
        if (!reached) return (await value.apply(target, args)) as unknown;
        if (!before) await value.apply(target, args);
        await target.end();
        throw new Error('cut');
      };
    },
  });
  return { client: proxy, reached: () => reached };
}

describe('a table that is not that of an earlier release', () => {
  it.each([
    [
      'has another key',
      'symbol, ts',
      '',
      /primary key \(symbol, ts\), not \(provider, symbol, interval, ts\)/,
    ],
    ['lacks a column', undefined, 'ALTER TABLE bars_ohlcv DROP updated_at', /has no column updated_at/],
    [
      'has times without a zone',
      undefined,
      'ALTER TABLE bars_ohlcv ALTER updated_at TYPE timestamp',
      /updated_at is timestamp without time zone, not timestamp with time zone/,
    ],
    [
      'has a column that cannot be filled',
      undefined,
      'ALTER TABLE bars_ohlcv ADD source text NOT NULL',
      /column source must have a value/,
    ],
    [
      'has times of seconds',
      undefined,
      'ALTER TABLE bars_ohlcv ALTER updated_at TYPE timestamptz(0)',
      /updated_at is rounded to 0 digits of a second/,
    ],
    ['is a second one', undefined, 'CREATE TABLE bars_ohlcv_legacy ()', /two tables of an earlier release/],
  ])('stops the migration and stays as it is when it %s', async (_what, key, change, message) => {
    await createLegacyTable(test, key === undefined ? {} : { key });
    if (change !== '') await test.query(change);
    const tables = () =>
      test.query('SELECT oid::int, relname FROM pg_class WHERE relnamespace = 2200 ORDER BY oid');
    const before = await tables();
    await expect(migrate()).rejects.toThrow(message);
    expect(await tables()).toEqual(before);
  });

  it('may have more columns, and its key in another order', async () => {
    await createLegacyTable(test, { key: 'ts, symbol, interval, provider' });
    await test.query("ALTER TABLE bars_ohlcv ADD source text NOT NULL DEFAULT 'old', ADD note text");
    for (const day of [2, 3, 4])
      await test.query(
        `INSERT INTO bars_ohlcv VALUES ('ibkr', 'S' || $1, '1d', '2024-01-01Z', 1, 1, 1, 1, 1, now(), now())`,
        [day],
      );
    expect(await copyAll(1)).toMatchObject({ completed: true, copied: 3 });
  });

  it('is told to be in use while the earlier service holds it', async () => {
    await createLegacyTable(test);
    const earlier = await connect();
    await earlier.query('BEGIN');
    await earlier.query('LOCK TABLE bars_ohlcv IN ROW EXCLUSIVE MODE');
    await expect(migrate()).rejects.toThrow(/stop the earlier service/);
    await earlier.query('COMMIT');
    await expect(migrate()).resolves.toMatchObject({ adoption: { dependents: [] } });
  });

  it('names the views that go on reading the renamed table', async () => {
    await createLegacyTable(test);
    await test.query('CREATE VIEW closes AS SELECT symbol, ts, close FROM bars_ohlcv');
    await expect(migrate()).resolves.toMatchObject({ adoption: { dependents: ['closes'] } });
  });
});

describe('the readers of an earlier table', () => {
  it('may read the view', async () => {
    await createLegacyTable(test);
    await withRole(test, async (all) =>
      withRole(test, async (some) => {
        await test.query(`GRANT SELECT ON bars_ohlcv TO ${all} WITH GRANT OPTION`);
        await test.query(`GRANT SELECT (symbol, created_at) ON bars_ohlcv TO ${some}`);
        await migrate();
        await expect(mayRead(test, all, 'bars_ohlcv', 'close')).resolves.toBe(true);
        await expect(mayRead(test, some, 'bars_ohlcv', 'symbol')).resolves.toBe(true);
        await expect(mayRead(test, some, 'bars_ohlcv', 'close')).resolves.toBe(false);
      }),
    );
  });

  it('may not read the view when policies guard the rows of the table', async () => {
    await createLegacyTable(test);
    await withRole(test, async (role) => {
      await test.query(`GRANT SELECT ON bars_ohlcv TO ${role}`);
      await test.query('ALTER TABLE bars_ohlcv ENABLE ROW LEVEL SECURITY');
      await migrate();
      await expect(mayRead(test, role, 'bars_ohlcv', 'close')).resolves.toBe(false);
    });
  });
});

/** Runs a copier that may fail a few times, and gives what it told last. It is ended after 20 failures. */
async function copyThrough(): Promise<LegacyProgress | undefined> {
  const told: LegacyProgress[] = [];
  const ends = new AbortController();
  let failures = 0;
  const failed = () => {
    if (++failures === 20) ends.abort();
  };
  await copierOf(told, { failed }).run(ends.signal);
  return told.at(-1);
}
