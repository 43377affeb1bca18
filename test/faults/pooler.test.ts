import { randomBytes } from 'node:crypto';

import { afterEach, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { SeriesStore } from '../../src/bars/series.store.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { Pooler } from '../support/pooler.js';
import { describeWith } from '../support/requirement.js';
import { startService } from '../support/service.js';

const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const barOf = (symbol: string, close: number) =>
  JSON.stringify({
    ...{ provider: 'p', symbol, interval: '1d', ts: '2026-01-05T00:00:00Z' },
    ...{ open: close, high: close, low: close, close, volume: 1 },
  });

/** A copy of the database as it is now. */
async function copyOf(database: TestDatabase): Promise<string> {
  const admin = new URL(database.url);
  const source = admin.pathname.slice(1);
  const name = `copy_${randomBytes(6).toString('hex')}`;
  admin.pathname = '/postgres';
  const client = new Client({ connectionString: admin.href });
  await client.connect();
  ends.push(async () => {
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await client.end();
  });
  await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${source}'`);
  await client.query(`CREATE DATABASE ${name} TEMPLATE ${source}`);
  admin.pathname = `/${name}`;
  return admin.href;
}

describeWith('pgbouncer', 'A service behind PgBouncer in transaction mode', () => {
  it('stores no bar under another symbol when it is switched to an older copy of the database', async () => {
    const primary = await createDatabase();
    ends.push(() => primary.drop());
    const older = await copyOf(primary);
    const pooler = await Pooler.start(primary.url);
    ends.push(() => pooler.stop());
    const service = await startService({ DATABASE_URL: pooler.url, ADMIN_DATABASE_URL: older });
    ends.push(() => service.stop());
    for (const [symbol, close] of [
      ['GOOG', 1],
      ['AAPL', 2],
      ['MSFT', 3],
    ] as const)
      expect((await service.post(barOf(symbol, close))).json).toMatchObject({ inserted: 1 });

    // Another replica gives the ids of AAPL and MSFT to others there.
    const client = new Client({ connectionString: older });
    await client.connect();
    await new SeriesStore().begin(client, [['p TSLA 1d', 'p NVDA 1d', 'p AMZN 1d']]);
    await client.query('COMMIT');
    await pooler.switchTo(older);
    for (const [symbol, close] of [
      ['MSFT', 33],
      ['AAPL', 22],
      ['GOOG', 11],
    ] as const)
      expect((await service.post(barOf(symbol, close))).json).toMatchObject({ inserted: 1 });
    const { rows } = await client.query('SELECT symbol, close FROM bars_ohlcv ORDER BY symbol');
    await client.end();
    expect(rows).toEqual([
      { symbol: 'AAPL', close: 22 },
      { symbol: 'GOOG', close: 11 },
      { symbol: 'MSFT', close: 33 },
    ]);
    const read = await service.fetch('/v1/bars?symbols=AAPL&provider=p&interval=1d&format=csv');
    expect(await read.text()).toContain('AAPL,1d,2026-01-05T00:00:00Z,22,22,22,22,1');
    const ledger = (await (await service.fetch('/v1/coordinator')).json()) as { rows: object };
    expect(ledger.rows).toMatchObject({ accepted: 6, committed: 6, residual: 0 });
  });
});
