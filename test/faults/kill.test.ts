import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from '@jest/globals';

import { createDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { missingBars, startLoad } from '../support/load.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';
import { runService, startService, type TestService } from '../support/service.js';

/** Nobody listens there. */
const NO_DATABASE = 'postgres://nobody@127.0.0.1:9/none';

let service: TestService | undefined;
let directory: string | undefined;

afterEach(async () => {
  await service?.stop();
  if (directory !== undefined) await removeDatabase(join(directory, 'postgres'));
});

describe('a service with its own database', () => {
  it('serves after kill -9 and has every bar that it answered 200', async () => {
    directory = await makeOpenDirectory();
    service = await startService({ MDS_DATA_DIR: directory });
    const stored = new Map<number, number>();
    for (let round = 0; round < 3; round += 1) {
      const load = startLoad(service, 4, `KILL${round}`);
      try {
        await eventually('bars are stored', () => load.acknowledged.size > 1_000);
      } finally {
        await service.kill();
        await load.stop();
      }

      service = await startService({ MDS_DATA_DIR: directory });
      await expect(missingBars(service, load.acknowledged, `KILL${round}`)).resolves.toEqual([]);
      for (const [ts, close] of load.acknowledged) stored.set(ts, close);
    }
    expect(stored.size).toBeGreaterThan(1_000);
  });

  it('tells a second service on the same data directory in one sentence, and goes on serving', async () => {
    directory = await makeOpenDirectory();
    service = await startService({ MDS_DATA_DIR: directory });
    const second = await runService({ MDS_DATA_DIR: directory });
    expect(second.code).toBe(1);
    expect(second.output.trim()).toMatch(/^the data directory \S+ is in use by process \d+; .*$/);
    await expect(service.fetch('/readyz').then(({ status }) => status)).resolves.toBe(200);
  });

  it('leaves no server behind when it is stopped, and exits 0', async () => {
    directory = await makeOpenDirectory();
    service = await startService({ MDS_DATA_DIR: directory });
    const url = (await readFile(join(directory, 'postgres', 'url'), 'utf8')).trim();
    await expect(service.stop()).resolves.toBe(0);
    const port = Number(new URL(url).port);
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
  });
});

describe('a service that is killed with bars only in its spool', () => {
  it('stores every bar that it answered 202 after the next start', async () => {
    const database = await createDatabase();
    const spool = await mkdtemp(join(tmpdir(), 'mds-kill-'));
    try {
      service = await startService({ DATABASE_URL: NO_DATABASE, MDS_DATA_DIR: spool });
      const load = startLoad(service, 4, 'SPOOL', 'durable');
      try {
        await eventually('bars are taken', () => load.acknowledged.size > 1_000);
      } finally {
        await service.kill();
        await load.stop();
      }
      expect([...load.outcomes.keys()].sort()).toEqual(['202', 'cut']);

      const next = await startService({ DATABASE_URL: database.url, MDS_DATA_DIR: spool });
      service = next;
      await eventually(
        'every bar is stored',
        async () => (await missingBars(next, load.acknowledged, 'SPOOL')).length === 0,
      );
      const state = (await (await next.fetch('/v1/coordinator')).json()) as Record<string, unknown>;
      expect(state).toMatchObject({ rows: { residual: 0 } });
    } finally {
      await service?.stop();
      await database.drop();
      await rm(spool, { recursive: true, force: true });
    }
  });
});
