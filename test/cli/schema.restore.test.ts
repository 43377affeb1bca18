import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { LegacyCopy } from '../../src/bars/legacy/legacy.copy.js';
import { restoreLegacyTable } from '../../src/bars/legacy/legacy.restore.js';
import { SeriesStore } from '../../src/bars/series.store.js';
import { SymbolCase, UPPER_CASE } from '../../src/bars/symbol.case.js';
import { EmbeddedPostgres } from '../../src/database/embedded/index.js';
import { PartitionStore } from '../../src/database/partition.store.js';
import { SchemaMigrator } from '../../src/database/schema.migrator.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { addLegacyRows, createLegacyTable, type LegacyTypes } from '../support/legacy.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';
import { mayRead, withRole } from '../support/role.js';
import { startService } from '../support/service.js';
import { BarsDirectory } from './bars.directory.js';
import { mds } from './mds.js';

let test: TestDatabase;
let client: Client;
/** The data directory of a service whose spool is empty. */
let data: string;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'mds-cli-'));
  await mkdir(join(data, 'spool'));
  test = await createDatabase('template0');
  client = new Client({ connectionString: test.url });
  await client.connect();
});
afterEach(async () => {
  await client.end();
  await test.drop();
  await rm(data, { recursive: true });
});

async function adopt(url = test.url, connection = client): Promise<void> {
  await new SchemaMigrator(url, url).migrate();
  const copy = new LegacyCopy(connection, new PartitionStore(url), new SeriesStore(), UPPER_CASE);
  while (await copy.copyPage(1_000)) continue;
}

/** The usual table, taken over and copied. */
async function adopted(types: LegacyTypes = {}): Promise<void> {
  await createLegacyTable(test, types);
  await addLegacyRows(test, [
    { ts: '2024-01-02Z' },
    { ts: '2024-01-03Z', values: '1, 3, 1, 2, 20' },
    { ts: '2024-01-02Z', symbol: 'msft', interval: '5min' },
  ]);
  await adopt();
}

/** A bar that the service stores, after the table was taken over; a correction when it is there. */
async function store(symbol: string, interval: string, day: number, values: string): Promise<void> {
  await test.query(
    `INSERT INTO series (provider, symbol, interval) VALUES ('ibkr', $1, $2) ON CONFLICT DO NOTHING`,
    [symbol, interval],
  );
  await test.query(
    `INSERT INTO bars SELECT id, timestamptz '2024-01-01Z' + $3 * interval '1 day', ${values}, '2030-01-01T00:00:00.123456Z'
       FROM series WHERE symbol = $1 AND interval = $2
     ON CONFLICT (series_id, ts) DO UPDATE SET volume = excluded.volume, received_at = excluded.received_at`,
    [symbol, interval, day],
  );
}

const rows = () =>
  test.query(
    `SELECT symbol, interval, ts::date::text AS day, volume::float8, created_at, updated_at
       FROM bars_ohlcv ORDER BY symbol, interval, ts`,
  );
const WRITTEN = new Date('2030-01-01T00:00:00.123Z');
const UPDATED = new Date('2024-02-01Z');
const CREATED = new Date('2024-01-31Z');
const environment = () => ({ DATABASE_URL: test.url, MDS_DATA_DIR: data });

describe('the way back to the earlier service', () => {
  it('is one command: the table has its name, and what was stored or corrected since', async () => {
    await adopted();
    await store('AAPL', '1d', 2, '1, 3, 1, 2, 99');
    await store('AAPL', '1d', 3, '1, 3, 1, 2, 30');
    await store('NEW', '1h', 3, '1, 3, 1, 2, 40');
    await store('MSFT', '5m', 3, '1, 3, 1, 2, 50');
    const dry = await mds(['schema', 'restore-legacy', '--dry-run'], environment());
    expect(dry).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/would be .* 4 bars .*nothing was changed/) as unknown,
    });
    const done = await mds(['schema', 'restore-legacy'], environment());
    expect(done).toMatchObject({
      ...{ code: 0, stderr: '' },
      stdout: expect.stringMatching(
        /^bars_ohlcv is the earlier service's table again, with 4 bars/,
      ) as unknown,
    });
    expect(await rows()).toEqual([
      {
        symbol: 'AAPL',
        interval: '1d',
        day: '2024-01-02',
        volume: 10,
        created_at: CREATED,
        updated_at: UPDATED,
      },
      {
        symbol: 'AAPL',
        interval: '1d',
        day: '2024-01-03',
        volume: 99,
        created_at: CREATED,
        updated_at: WRITTEN,
      },
      {
        symbol: 'AAPL',
        interval: '1d',
        day: '2024-01-04',
        volume: 30,
        created_at: WRITTEN,
        updated_at: WRITTEN,
      },
      {
        symbol: 'NEW',
        interval: '1h',
        day: '2024-01-04',
        volume: 40,
        created_at: WRITTEN,
        updated_at: WRITTEN,
      },
      {
        symbol: 'msft',
        interval: '5min',
        day: '2024-01-02',
        volume: 10,
        created_at: CREATED,
        updated_at: UPDATED,
      },
      {
        symbol: 'msft',
        interval: '5min',
        day: '2024-01-04',
        volume: 50,
        created_at: WRITTEN,
        updated_at: WRITTEN,
      },
    ]);
    const again = await mds(['schema', 'restore-legacy'], environment());
    expect(again).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/there is no table bars_ohlcv_legacy/) as unknown,
    });
  });

  it('leads forward again, with what the earlier service wrote meanwhile, and nothing twice', async () => {
    await adopted({ price: 'numeric(12,2)' });
    await store('AAPL', '1d', 2, '1, 3, 1, 2, 99.123');
    await test.query('UPDATE bars SET received_at = clock_timestamp() WHERE volume = 99.123');
    await restoreLegacyTable(client);
    await test.query(
      `UPDATE bars_ohlcv SET close = 1.5, updated_at = '2031-01-01Z' WHERE symbol = 'AAPL' AND ts = '2024-01-02Z'`,
    );
    await addLegacyRows(test, [{ ts: '2024-01-09Z', updated: '2031-01-01Z' }]);
    await adopt();
    expect(
      await test.query(
        'SELECT symbol, ts::date::text AS day, close, volume FROM bars_ohlcv ORDER BY symbol, ts',
      ),
    ).toEqual([
      { symbol: 'AAPL', day: '2024-01-02', close: 1.5, volume: 10 },
      // Not the 99.12 that the column could hold.
      { symbol: 'AAPL', day: '2024-01-03', close: 2, volume: 99.123 },
      { symbol: 'AAPL', day: '2024-01-09', close: 2, volume: 10 },
      { symbol: 'MSFT', day: '2024-01-02', close: 2, volume: 10 },
    ]);
    await restoreLegacyTable(client);
    await expect(test.query('SELECT FROM bars_ohlcv')).resolves.toHaveLength(4);
  });

  it('keeps a row that the earlier service had later than the bar, and those that were never copied', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [{ ts: '2024-01-02Z' }, { ts: '2024-01-03Z', values: "1, 3, 1, 2, 'NaN'" }]);
    await new SchemaMigrator(test.url, test.url).migrate();
    await new PartitionStore(test.url).ensure([2024]);
    // The copy has not begun, and a bar from before the table was taken over came out of the spool.
    await store('AAPL', '1d', 1, '1, 3, 1, 2, 7');
    await test.query("UPDATE bars SET received_at = '2024-01-15Z'");
    await expect(restoreLegacyTable(client)).resolves.toEqual({ written: 0, rounded: 0, unfit: [] });
    expect(await rows()).toMatchObject([{ volume: 10 }, { volume: NaN }]);
  });

  it('keeps a row that is not copied where a bar was sent to keep what is stored, and writes the others', async () => {
    await createLegacyTable(test);
    await addLegacyRows(test, [{ ts: '2024-01-02Z' }]);
    await new SchemaMigrator(test.url, test.url).migrate();
    await test.query(`CREATE TABLE bars_2024 PARTITION OF bars DEFAULT`);
    await store('AAPL', '1d', 1, '1, 3, 1, 2, 99');
    await store('AAPL', '1d', 2, '1, 3, 1, 2, 20');
    await test.query('INSERT INTO kept_receipts SELECT DISTINCT series_id, received_at FROM bars');
    expect(await mds(['schema', 'restore-legacy'], environment())).toMatchObject({ code: 0, stderr: '' });
    expect(await rows()).toMatchObject([
      { day: '2024-01-02', volume: 10 },
      { day: '2024-01-03', volume: 20 },
    ]);
  });

  it('names bars that the columns of the table cannot hold, and goes on without them', async () => {
    await adopted({ price: 'numeric(6,2)', volume: 'integer', interval: 'varchar(4)' });
    await store('AAPL', '1d', 5, '12345.5, 12345.5, 1, 2, 1');
    await store('AAPL', '1d', 6, '1, 1, 1, 1, 3e9');
    await store('AAPL', '1000mo', 6, '1, 1, 1, 1, 1');
    await store('AAPL', '1d', 7, '1.005, 1.005, 1, 1, 1.4');
    const { code, stdout } = await mds(['schema', 'restore-legacy'], environment());
    expect(code).toBe(1);
    expect(stdout).toMatch(/1 bar rounded/);
    expect(stdout).toMatch(
      /3 bars of 2 series .*only in bars:\n.*\nibkr +AAPL +1000mo +1 .*\nibkr +AAPL +1d +2 /,
    );
    expect(await rows()).toContainEqual(expect.objectContaining({ day: '2024-01-08', volume: 1 }));
  });

  it('changes nothing when somebody made a view on bars_ohlcv, and says which', async () => {
    await adopted();
    await test.query('CREATE VIEW closes AS SELECT symbol, close FROM bars_ohlcv');
    const { code, stderr } = await mds(['schema', 'restore-legacy'], environment());
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/view closes depends on view bars_ohlcv: drop it first/),
    ]);
    await expect(test.query('SELECT FROM bars_ohlcv_legacy')).resolves.toHaveLength(3);
  });

  it('is refused while a service runs, and while bars wait in the spool', async () => {
    await adopted();
    const service = await startService({ DATABASE_URL: test.url });
    const running = await mds(['schema', 'restore-legacy'], environment());
    expect(running).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/a service is connected .*stop it/) as unknown,
    });
    await service.stop();

    const directory = await BarsDirectory.make([2], 1);
    try {
      const args = ['schema', 'restore-legacy', '--dir', directory.path];
      const waiting = await mds(args, environment());
      expect(waiting).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/2 rows in the spool/) as unknown,
      });
      await expect(mds([...args, '--force'], environment())).resolves.toMatchObject({ code: 0 });
    } finally {
      await directory.remove();
    }
  });

  it('is refused where no spool is, as bars may wait in another directory', async () => {
    await adopted();
    const other = join(data, 'other');
    const args = ['schema', 'restore-legacy', '--dir', other];
    await expect(mds(args, environment())).resolves.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`no spool in ${other}`) as unknown,
    });
    await expect(test.query('SELECT FROM bars_ohlcv_legacy')).resolves.toHaveLength(3);
    await expect(mds([...args, '--force'], environment())).resolves.toMatchObject({ code: 0 });
  });

  it('takes the names that the copy gave, whatever the settings are now', async () => {
    await adopted();
    const symbolCase = new SymbolCase(['ibkr']);
    await expect(restoreLegacyTable(client, { symbolCase })).resolves.toMatchObject({ written: 0 });
    await expect(test.query('SELECT FROM bars_ohlcv')).resolves.toHaveLength(3);
  });

  it('lets those read the table who could read the view', async () => {
    await adopted();
    await withRole(test, async (role) => {
      await test.query(`GRANT SELECT ON bars_ohlcv TO ${role}`);
      await restoreLegacyTable(client);
      await expect(mayRead(test, role, 'bars_ohlcv', 'symbol')).resolves.toBe(true);
    });
  });

  it('starts an embedded database for itself', async () => {
    const root = await makeOpenDirectory();
    const directory = join(root, 'postgres');
    const server = new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: 0 });
    try {
      const url = await server.start();
      const embedded = new Client({ connectionString: url });
      await embedded.connect();
      const query = async <Row extends object>(text: string, values: unknown[] = []) =>
        (await embedded.query<Row>(text, values)).rows;
      await createLegacyTable({ query } as TestDatabase);
      await adopt(url, embedded);
      await embedded.end();
      await server.stop();
      const done = await mds(['schema', 'restore-legacy', '--dir', root, '--json']);
      expect(done).toMatchObject({ code: 0 });
      expect(JSON.parse(done.stdout)).toEqual({ done: true, written: 0, rounded: 0, unfit: [] });
    } finally {
      await server.stop();
      await removeDatabase(directory);
      await rm(root, { recursive: true, force: true });
    }
  });

  it('says what is missing when there is no database', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'mds-cli-'));
    try {
      const { code, stderr } = await mds(['schema', 'restore-legacy', '--dir', empty]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/no DATABASE_URL, and no embedded database/)]);
    } finally {
      await rm(empty, { recursive: true });
    }
  });
});
