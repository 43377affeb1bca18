import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, describe, expect, it } from '@jest/globals';

import { MIGRATIONS } from '../../src/database/migrations/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { startService, type TestService } from '../support/service.js';

const run = promisify(execFile);
const A_BAR =
  '{"provider":"p","symbol":"S","interval":"1d","ts":1704153600,"open":1,"high":1,"low":1,"close":1,"volume":1}';

let test: TestDatabase;
const services: TestService[] = [];

afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop()));
  await test.drop();
});

async function start(env: Record<string, string>): Promise<TestService> {
  const service = await startService(env);
  services.push(service);
  return service;
}

describe('the schema', () => {
  it('is migrated once when two replicas start at the same time', async () => {
    test = await createDatabase('template0');
    const both = await Promise.all([start({ DATABASE_URL: test.url }), start({ DATABASE_URL: test.url })]);
    for (const service of both) expect((await service.fetch('/readyz')).status).toBe(200);
    const applied = both.map((service) => /schema migrated, (\d+)/.exec(service.output())?.[1] ?? '0');
    expect(applied.sort()).toEqual(['0', String(MIGRATIONS.length)]);
    await expect(test.query('SELECT * FROM schema_migrations')).resolves.toHaveLength(MIGRATIONS.length);
  });

  it('is used by a role that may not create tables, partitions being made by the admin role', async () => {
    test = await createDatabase('template0');
    const role = `writer_${test.url.slice(-12)}`;
    await test.query(`CREATE ROLE ${role} LOGIN PASSWORD 'only-for-this-test'`);
    const url = new URL(test.url);
    url.username = role;
    url.password = 'only-for-this-test';
    try {
      const service = await start({ DATABASE_URL: url.href, ADMIN_DATABASE_URL: test.url });
      const answer = await service.post(A_BAR);
      expect(answer.json).toMatchObject({ inserted: 1 });
      expect((await service.post(A_BAR.replace('"close":1', '"close":1.0'))).json).toMatchObject({
        unchanged: 1,
      });
      await expect(test.query("SELECT 1 FROM pg_tables WHERE tablename = 'bars_2024'")).resolves.toHaveLength(
        1,
      );
    } finally {
      await Promise.all(services.splice(0).map((service) => service.stop()));
      await test.query(`DROP OWNED BY ${role}`);
      await test.query(`DROP ROLE ${role}`);
    }
  });

  it('is seen by the TypeORM command line through the same ormconfig', async () => {
    test = await createDatabase();
    const { stdout } = await run(
      process.execPath,
      [resolve('node_modules/typeorm/cli.js'), 'migration:show', '-d', resolve('dist/ormconfig.js')],
      { env: { ...process.env, DATABASE_URL: test.url } },
    );
    expect(stdout).toMatch(/\[X\].*CreateBars/);
  });

  it('shows the earlier table’s shape in bars_ohlcv', async () => {
    test = await createDatabase();
    const columns = await test.query<{ column_name: string }>(
      `SELECT column_name FROM information_schema.columns WHERE table_name = 'bars_ohlcv' ORDER BY ordinal_position`,
    );
    expect(columns.map((column) => column.column_name)).toEqual([
      'provider',
      'symbol',
      'interval',
      'ts',
      'open',
      'high',
      'low',
      'close',
      'volume',
      'updated_at',
    ]);
  });
});
