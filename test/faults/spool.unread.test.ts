import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { FailingReads } from '../support/failing-reads.js';
import { describeWith } from '../support/requirement.js';
import { startService, type TestService } from '../support/service.js';

const ROWS = 5_000;

let database: TestDatabase;
let directory: string;
let service: TestService | undefined;

beforeEach(async () => {
  database = await createDatabase();
  directory = await mkdtemp(join(tmpdir(), 'mds-unread-'));
});
afterEach(async () => {
  await service?.kill();
  service = undefined;
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

async function start(env: Record<string, string> = {}): Promise<TestService> {
  service = await startService({
    DATABASE_URL: database.url,
    MDS_DATA_DIR: directory,
    MDS_SPOOL_RETAIN_SEC: '0',
    ...env,
  });
  return service;
}

interface Rows {
  readonly accepted: number;
  readonly committed: number;
  readonly spooled: number;
  readonly unread: number;
  readonly residual: number;
}

async function rowsOf(running: TestService): Promise<Rows> {
  const answer = (await (await running.fetch('/v1/coordinator')).json()) as { rows: Rows };
  return answer.rows;
}

function bodyOf(count: number, symbol: string): string {
  const line = (bar: number) =>
    `{"provider":"p","symbol":"${symbol}","interval":"1m","ts":${1_767_225_600 + 60 * bar},"open":1,"high":1,"low":1,"close":1,"volume":1}`;
  return Array.from({ length: count }, (_, bar) => line(bar)).join('\n');
}

async function storedRows(): Promise<number> {
  const [row] = await database.query<{ rows: string }>('SELECT count(*) AS rows FROM bars');
  return Number(row?.rows);
}

/** While it is held, nothing is written to `bars`. */
async function lockBars(): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query('BEGIN; LOCK TABLE bars IN ACCESS EXCLUSIVE MODE');
  return () => client.end();
}

describeWith('cc', 'A service whose disk does not read the spool when it starts', () => {
  it('counts the rows as unread, takes and stores others, and stores them when the disk reads', async () => {
    const reads = new FailingReads();
    try {
      const unlock = await lockBars();
      const before = await start();
      for (let body = 0; body < 5; body++)
        expect((await before.post(bodyOf(ROWS / 5, `S${body}`), undefined, '?ack=durable')).status).toBe(202);
      // The checkpoint is written four times a second.
      await eventually(
        'the ledger is on disk',
        async () => (await readdir(join(directory, 'spool'))).length > 1,
      );
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await before.kill();
      await unlock();

      reads.fail();
      const after = await start(reads.env);
      await eventually('the rows are known', async () => (await rowsOf(after)).unread === ROWS);
      await eventually('the reader has been there', () => after.output().includes('the disk does not read'));
      expect((await after.post(bodyOf(1, 'OTHER'))).status).toBe(200);
      // Longer than five tries ever took.
      await new Promise((resolve) => setTimeout(resolve, 8_000));
      expect(await rowsOf(after)).toMatchObject({
        accepted: ROWS + 1,
        committed: 1,
        unread: ROWS,
        residual: 0,
      });
      const health = (await (await after.fetch('/healthz')).json()) as {
        state: string;
        components: object[];
      };
      expect(health.state).toBe('degraded');
      expect(JSON.stringify(health.components)).toContain('the disk does not read');
      await expect(readdir(join(directory, 'spool', 'quarantine'))).rejects.toThrow('ENOENT');
      expect(await (await after.fetch('/metrics')).text()).toMatch(/^mds_rows_unread 5000$/m);

      reads.heal();
      await eventually('all rows are stored', async () => (await storedRows()) === ROWS + 1);
      await eventually('the books say so', async () => (await rowsOf(after)).unread === 0);
      expect(await rowsOf(after)).toMatchObject({
        accepted: ROWS + 1,
        committed: ROWS + 1,
        spooled: 0,
        residual: 0,
      });
    } finally {
      reads.remove();
    }
  });
});

describe('A service whose spool is moved away', () => {
  it('answers 503 spool-unavailable and takes bars again when it is back', async () => {
    const running = await start();
    const spool = join(directory, 'spool');
    expect((await running.post(bodyOf(10, 'A'), undefined, '?ack=durable')).status).toBe(202);
    await rename(spool, `${spool}.moved`);
    let code: string | undefined;
    await eventually('bars are refused', async () => {
      const answer = await running.post(bodyOf(10, 'B'), undefined, '?ack=durable');
      ({ code } = answer.json);
      return answer.status === 503;
    });
    expect(code).toBe('spool-unavailable');
    const ready = await running.fetch('/readyz');
    expect([ready.status, await ready.text()]).toEqual([
      503,
      expect.stringContaining('removed, moved or replaced'),
    ]);
    // No directory is made in its place.
    expect(await readdir(directory)).not.toContain('spool');

    await rename(`${spool}.moved`, spool);
    await eventually('bars are taken', async () => {
      const { status } = await running.post(bodyOf(10, 'C'), undefined, '?ack=durable');
      return status === 202;
    });
    await running.kill();
    const after = await start();
    await eventually('all is written', async () => (await rowsOf(after)).spooled === 0);
    expect(await rowsOf(after)).toMatchObject({ residual: 0, unread: 0 });
    const [row] = await database.query<{ symbols: string }>(
      'SELECT count(DISTINCT symbol) AS symbols FROM series JOIN bars ON bars.series_id = series.id WHERE symbol IN ($1, $2)',
      ['A', 'C'],
    );
    expect(row?.symbols).toBe('2');
  });
});
