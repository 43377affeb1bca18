import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';
import { DataSource } from 'typeorm';

import { dataSourceOptions } from '../../ormconfig.js';
import { MOST_PAIRS, NewestBars } from '../../src/bars/newest.bars.js';
import { watchSeries } from '../../src/bars/series.watch.js';
import { Database } from '../../src/database/database.js';
import { PartitionStore } from '../../src/database/partition.store.js';
import { SchemaMigrator } from '../../src/database/schema.migrator.js';
import { Metrics } from '../../src/metrics/metrics.catalogue.js';
import { type Exposition, readExposition } from '../contract/exposition.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

let test: TestDatabase;
let database: Database;
let watching: Promise<void>;
let failures: unknown[];

beforeAll(async () => {
  test = await createDatabase();
  const year = new Date().getUTCFullYear();
  await new PartitionStore(test.url).ensure([year - 4, year - 3, year - 2, year - 1]);
});
afterAll(async () => {
  await test.drop();
});

beforeEach(async () => {
  database = new Database(
    new DataSource(dataSourceOptions(test.url, { extra: { options: '-c lock_timeout=20' } })),
    new SchemaMigrator(test.url, test.url),
    new PartitionStore(test.url),
    { migrated: () => undefined, openFailed: () => undefined, connectionLost: () => undefined },
    1,
  );
  await database.open();
  const metrics = new Metrics();
  failures = [];
  watching = watchSeries({
    database,
    newest: new NewestBars(metrics.lastBar),
    gauge: metrics.seriesByAge,
    onFailure: (error) => failures.push(error),
    pause: { leastMs: 5, mostMs: 5, perReading: 1 },
  });
});
afterEach(async () => {
  await database.close();
  await watching;
  register.clear();
  await test.query('TRUNCATE series, bars');
});

/** Adds a series of the provider `p` whose newest bar began so long ago; without an age it has none. */
const insert = async (symbol: string, ago?: string, interval = '1m'): Promise<void> => {
  const [series] = await test.query<{ id: number }>(
    `INSERT INTO series (provider, symbol, interval) VALUES ('p', $1, $2) RETURNING id`,
    [symbol, interval],
  );
  if (ago === undefined) return;
  await test.query(
    `INSERT INTO bars
     SELECT $1, now() - $2::interval - n * '1 minute'::interval, 1, 1, 1, 1, 1, now() FROM generate_series(0, 2) AS n`,
    [series?.id, ago],
  );
};

const scrape = async (): Promise<Exposition> => readExposition(await register.metrics());

/** The samples of the pair, from the least age to `ever`. */
const counts = async (interval = '1m'): Promise<(number | undefined)[]> => {
  const scraped = await scrape();
  return ['5m', '15m', '1h', '1d', '7d', '31d', '100d', 'ever'].map((within) =>
    scraped.value('mds_series_by_age', { provider: 'p', interval, within }),
  );
};

const until = (expected: readonly (number | undefined)[]): Promise<void> =>
  eventually(`there are ${expected.join()}`, async () => String(await counts()) === String(expected));

const NONE = Array.from({ length: 8 }, () => undefined);

describe('the series of a provider and interval', () => {
  it('are counted by the age of the newest bar, each age with the lesser ones', async () => {
    await insert('NEVER');
    await insert('YEARS', '1000 days');
    await insert('MONTH', '30 days');
    await insert('HOUR', '50 minutes');
    await insert('NOW', '1 minute');
    await insert('TOMORROW', '-1 day');
    await until([2, 2, 3, 3, 3, 4, 4, 5]);
  });

  it('follow what is written and deleted by others', async () => {
    await insert('A', '2 days');
    await insert('B', '2 days');
    await until([0, 0, 0, 0, 2, 2, 2, 2]);
    await test.query(
      `INSERT INTO bars SELECT id, now(), 1, 1, 1, 1, 1, now() FROM series WHERE symbol = 'A'`,
    );
    await until([1, 1, 1, 1, 2, 2, 2, 2]);
    expect(
      (await scrape()).value('mds_last_bar_timestamp_seconds', { provider: 'p', interval: '1m' }),
    ).toBeGreaterThan(Date.now() / 1_000 - 60);
    await test.query(`DELETE FROM bars WHERE ts >= now() - '1 day'::interval`);
    await until([0, 0, 0, 0, 2, 2, 2, 2]);
    await test.query('DELETE FROM bars');
    await until(NONE);
  });

  it('have no sample while they cannot be read; the reason is told once, unless the database is away', async () => {
    await insert('A', '1 minute');
    await until([1, 1, 1, 1, 1, 1, 1, 1]);
    await test.query('ALTER TABLE series RENAME TO series_away');
    await until(NONE);
    await test.query('ALTER TABLE series_away RENAME TO series');
    await until([1, 1, 1, 1, 1, 1, 1, 1]);
    expect(failures).toEqual([]);

    await test.query('BEGIN; LOCK TABLE series');
    await until(NONE);
    await test.query('ROLLBACK');
    await until([1, 1, 1, 1, 1, 1, 1, 1]);
    expect(failures).toEqual([expect.objectContaining({ code: '55P03' })]);
  });

  it('are bounded in their pairs, and those with the most series stay', async () => {
    await test.query(
      `INSERT INTO series (provider, symbol, interval)
       SELECT 'p' || n, 'S', '1m' FROM generate_series(1, ${MOST_PAIRS}) AS n`,
    );
    await test.query('INSERT INTO bars SELECT id, now(), 1, 1, 1, 1, 1, now() FROM series');
    await insert('A', '1 minute', '9w');
    await insert('B', '1 minute', '9w');
    await eventually('the largest is there', async () => (await counts('9w')).at(-1) === 2);
    expect((await scrape()).sum('mds_series_by_age', { within: 'ever' })).toBe(MOST_PAIRS + 1);
  });
});
