import { afterEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { PartitionStore } from '../../src/database/partition.store.js';
import { SchemaMigrator } from '../../src/database/schema.migrator.js';
import { readExposition } from '../contract/exposition.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { addLegacyRows, createLegacyTable, fillLegacyTable } from '../support/legacy.js';
import { startService, type TestService } from '../support/service.js';

let test: TestDatabase;
let service: TestService | undefined;

afterEach(async () => {
  await service?.stop();
  service = undefined;
  await test.drop();
});

async function start(): Promise<TestService> {
  service = await startService({ DATABASE_URL: test.url });
  return service;
}

const copied = () =>
  eventually('the rows are copied', async () => {
    const [row] = await test.query<{ done: boolean }>(
      'SELECT completed_at IS NOT NULL AS done FROM legacy_copy',
    );
    return row?.done === true;
  });

/** Migrates, and holds a bar of the series that is copied last, so that the copy cannot end. */
async function holdLastSeries(): Promise<Client> {
  await new SchemaMigrator(test.url, test.url).migrate();
  await new PartitionStore(test.url).ensure([2024]);
  await test.query("INSERT INTO series (provider, symbol, interval) VALUES ('ibkr', 'S9', '1m')");
  await test.query(
    "INSERT INTO bars SELECT id, '2024-01-02Z', 1, 1, 1, 1, 1, '2024-01-02T00:01:00Z' FROM series",
  );
  const holder = new Client({ connectionString: test.url });
  await holder.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM bars FOR UPDATE');
  return holder;
}

describe('A11: a database of the earlier service', () => {
  it('is taken over: the service is ready, old bars are read and new ones are written', async () => {
    test = await createDatabase('template0');
    await createLegacyTable(test);
    await addLegacyRows(test, [
      { ts: '2024-01-02T00:00:00Z' },
      { ts: '2024-01-03T00:00:00Z', symbol: 'msft', interval: '1D' },
      { ts: '2024-01-04T00:00:00Z', interval: '5min' },
      { ts: '2024-01-05T00:00:00Z', values: "1, 3, 1, 2, 'NaN'" },
      { ts: '2024-01-06T00:00:00Z', values: '1, 2, 3, 2, 10' },
      { ts: '2024-01-07T00:00:00Z', values: '1, 3, 1, 2, NULL' },
      { ts: '2024-01-08T00:00:00Z', symbol: 'BRK B' },
    ]);
    const served = await start();
    expect((await served.fetch('/readyz')).status).toBe(200);
    await copied();
    const bars = (await (await served.fetch('/v1/bars')).json()) as { bars: object[] };
    expect(bars.bars).toMatchObject([
      { symbol: 'AAPL', interval: '1d', ts: '2024-01-02T00:00:00Z', high: 3 },
      { symbol: 'AAPL', interval: '5m', ts: '2024-01-04T00:00:00Z' },
      { symbol: 'MSFT', interval: '1d', ts: '2024-01-03T00:00:00Z' },
    ]);
    const row = '{"provider":"ibkr","symbol":"AAPL","interval":"1d","ts":"2024-01-02T00:00:00Z",';
    const answer = await served.post(`${row}"open":1,"high":3,"low":1,"close":2,"volume":11}`);
    expect(answer.json).toMatchObject({ updated: 1 });
    expect(served.output()).toMatch(
      /4 rows cannot be copied and stay in bars_ohlcv_legacy: 1 invalid-symbol, 1 missing-field/,
    );

    const metrics = readExposition(await (await served.fetch('/metrics')).text());
    expect(metrics.value('mds_legacy_rows', { state: 'copied' })).toBe(3);
    expect(metrics.value('mds_legacy_rows', { state: 'left' })).toBe(4);
    expect(metrics.value('mds_legacy_rows_left', { reason: 'prices-inconsistent' })).toBe(1);
    await expect(test.query('SELECT FROM bars_ohlcv_legacy')).resolves.toHaveLength(7);
  });

  it('is read from while it is copied', async () => {
    test = await createDatabase('template0');
    await createLegacyTable(test);
    await fillLegacyTable(test, 20, 5_000);
    const holder = await holdLastSeries();
    try {
      const served = await start();
      await eventually('the first bar is read', async () => {
        const { bars } = (await (await served.fetch('/v1/bars?symbols=S0&limit=1')).json()) as {
          bars: object[];
        };
        return bars.length === 1;
      });
      await expect(test.query('SELECT FROM legacy_copy WHERE completed_at IS NULL')).resolves.toHaveLength(1);
    } finally {
      await holder.end();
    }
    await copied();
    await expect(test.query('SELECT FROM bars')).resolves.toHaveLength(100_000);
  });
});

describe('A11: a migration that fails', () => {
  it('is told by /readyz and once in the log, with its cause and without raw lines', async () => {
    test = await createDatabase('template0');
    await createLegacyTable(test, { key: 'symbol, ts' });
    const served = await start();
    const answer = await served.fetch('/readyz?verbose');
    expect(answer.status).toBe(503);
    expect(await answer.text()).toMatch(
      /database failed: the schema has not been migrated: .*bars_ohlcv .*primary key \(symbol, ts\)/,
    );
    expect(served.output()).toMatch(/database cannot be used yet.*primary key/);
    // A line of the log begins with its time.
    expect(
      served
        .output()
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('[')),
    ).toEqual([]);
    await expect(test.query("SELECT FROM pg_tables WHERE schemaname = 'public'")).resolves.toHaveLength(1);
  });
});
