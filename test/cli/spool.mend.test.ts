import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { missingBars, startLoad } from '../support/load.js';
import { startService, type TestService } from '../support/service.js';
import { BarsDirectory, flipBit, RECORD_BYTES, tearTail } from './bars.directory.js';
import { mds } from './mds.js';

let database: TestDatabase;
let directory: BarsDirectory;
let service: TestService | undefined;

beforeEach(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  await service?.stop();
  service = undefined;
  await database.drop();
  await directory.remove();
});

const start = async (env: Record<string, string> = {}): Promise<TestService> =>
  (service = await startService({ DATABASE_URL: database.url, MDS_DATA_DIR: directory.path, ...env }));

interface Rows {
  readonly accepted: number;
  readonly committed: number;
  readonly spooled: number;
  readonly lost: number;
  readonly residual: number;
}

/** Waits until all that the spool held is written. */
async function written(running: TestService, residual = 0): Promise<Rows> {
  let rows: Rows | undefined;
  await eventually('the spool is written', async () => {
    ({ rows } = (await (await running.fetch('/v1/coordinator')).json()) as { rows: Rows });
    expect(rows.residual).toBe(residual);
    return rows.spooled === 0;
  });
  if (!rows) throw new Error('the coordinator said nothing of its rows');
  return rows;
}

const storedCsv = async (running: TestService) =>
  (await running.fetch('/v1/bars?format=csv')).text().then((text) => text.split('\n').sort());

const exported = async () =>
  (await mds(['spool', 'export', '--dir', directory.path, '--format', 'csv'])).stdout.split('\n').sort();

describe('on a service under load', () => {
  it('inspect, verify, export and a dry replay find all sound, and the service does not notice', async () => {
    directory = await BarsDirectory.make([0]);
    const running = await start({ MDS_SPOOL_MAX_BYTES: '1048576', MDS_SPOOL_RETAIN_SEC: '1' });
    const load = startLoad(running, 4, 'LIVE', 'durable');
    try {
      await eventually('bars are taken', () => load.acknowledged.size > 500);
      for (let round = 0; round < 4; round++) {
        const inspect = await mds(['spool', 'inspect', '--dir', directory.path, '--json']);
        expect(inspect).toMatchObject({ code: 0, stderr: '' });
        expect(JSON.parse(inspect.stdout)).toMatchObject({ service_pid: running.process.pid });
        const runs = await Promise.all([
          mds(['spool', 'verify', '--dir', directory.path]),
          mds(['spool', 'export', '--dir', directory.path]),
          mds(['spool', 'replay', '--since', '2026-01-01', '--dry-run', '--dir', directory.path]),
        ]);
        expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
      }
      const repair = await mds(['spool', 'repair', '--dir', directory.path]);
      expect([repair.code, repair.stdout]).toEqual([2, '']);
      expect(repair.stderr).toMatch(/^mds: a service \(process \d+\) runs on \S+; stop it first, .*\n$/);
    } finally {
      await load.stop();
    }
    expect(load.wrong).toEqual([]);
    await written(running);
    expect(await missingBars(running, load.acknowledged, 'LIVE')).toEqual([]);
    expect(running.output()).not.toMatch(/WARN|ERROR/);
  });
});

describe('mds spool repair', () => {
  it('leaves a spool that verifies and of which a service writes every row that could be read', async () => {
    directory = await BarsDirectory.make([4, 3, 2]);
    const all = await exported();
    const [first = '', second = '', third = ''] = await directory.segments();
    await flipBit(first, RECORD_BYTES + 100);
    await flipBit(second, 2 * RECORD_BYTES + 9);
    await tearTail(third, RECORD_BYTES - 1);
    await flipBit(join(directory.spool, 'checkpoint'), 4);
    const letter = await directory.addDeadLetter();
    await flipBit(letter, 40);
    const damagedLetter = await readFile(letter);

    const tried = await mds(['spool', 'repair', '--dir', directory.path, '--dry-run']);
    expect(tried.stdout).toContain('5 repairs to make; nothing was changed');
    expect((await mds(['spool', 'verify', '--dir', directory.path])).code).toBe(1);
    const done = await mds(['spool', 'repair', '--dir', directory.path]);
    expect([done.code, done.stderr]).toEqual([0, '']);
    expect(done.stdout.split('\n')).toHaveLength(7);
    expect(done.stdout).toContain(
      `put aside ${RECORD_BYTES} damaged bytes (2 rows) at byte ${RECORD_BYTES} of ${first}`,
    );
    expect(done.stdout).toContain(`cut ${RECORD_BYTES - 1} bytes of a torn tail`);
    const name = letter.slice(letter.lastIndexOf('/') + 1);
    expect(await readFile(join(directory.path, 'dlq', 'quarantine', name))).toEqual(damagedLetter);
    const verified = await mds(['spool', 'verify', '--dir', directory.path]);
    expect(verified).toMatchObject({ code: 0 });
    expect(verified.stdout).not.toContain('note');
    expect((await mds(['spool', 'repair', '--dir', directory.path])).stdout).toBe('nothing to repair\n');

    const left = await exported();
    expect(left).toHaveLength(all.length - 4);
    expect(all).toEqual(expect.arrayContaining(left));
    const running = await start();
    // Rows that were damaged are nowhere, and the books say so until the operator gives them up.
    const { accepted, committed } = await written(running, 4);
    expect(await storedCsv(running)).toEqual(left);
    await running.stop();
    const given = await mds(['spool', 'repair', '--give-up', '--dir', directory.path]);
    expect([given.code, given.stdout]).toEqual([
      0,
      `has the next start count rows that are missing as lost (${directory.spool}/checkpoint)\n1 repair made\n`,
    ]);
    expect(await written(await start())).toMatchObject({ accepted, committed, lost: 4 });
  });
});

describe('mds spool export', () => {
  it.each([
    ['ndjson', 'application/x-ndjson'],
    ['csv', 'text/csv'],
  ])('as %s can be posted back unchanged, and every number is the same', async (format, type) => {
    directory = await BarsDirectory.make([3]);
    const { stdout } = await mds(['spool', 'export', '--dir', directory.path, '--format', format]);
    const before = await exported();
    await directory.remove();
    directory = await BarsDirectory.make([0]);
    const running = await start();
    expect(await running.post(stdout, type)).toMatchObject({ status: 200, json: { inserted: 6 } });
    expect(await storedCsv(running)).toEqual(before);
  });
});

describe('mds spool replay', () => {
  const SINCE = ['spool', 'replay', '--since', '2026-01-01'];
  const TABLES = ['series', 'bars', 'bar_revisions', 'bar_confirmations'];

  const bar = (ts: string, close: number) =>
    JSON.stringify({
      provider: 'p',
      symbol: 'R',
      interval: '1d',
      ts,
      open: 0,
      high: 9,
      low: 0,
      close,
      volume: 1,
    });

  /** All that the database knows of bars. */
  async function contents(): Promise<Record<string, unknown[]>> {
    const found: Record<string, unknown[]> = {};
    for (const table of TABLES)
      found[table] = await database.query(`SELECT * FROM ${table} ORDER BY 1, 2, 3`);
    return found;
  }

  /** Three bars, one of them corrected twice, one sent again unchanged. */
  async function fill(running: TestService): Promise<void> {
    await running.post([bar('2026-01-01', 1), bar('2026-01-02', 1), bar('2026-01-03', 1)].join('\n'));
    await running.post(bar('2026-01-02', 2));
    await running.post([bar('2026-01-02', 3), bar('2026-01-03', 1)].join('\n'));
  }

  async function restart(running: TestService): Promise<TestService> {
    expect(await running.stop()).toBe(0);
    const next = await start();
    await written(next);
    return next;
  }

  it('brings back what a restored older database has lost, with its revisions', async () => {
    directory = await BarsDirectory.make([0]);
    const running = await start();
    await fill(running);
    const before = await contents();
    expect(before['bar_revisions']).toHaveLength(2);
    await database.query('TRUNCATE bars, bar_revisions, bar_confirmations');

    const asked = await mds([...SINCE, '--dir', directory.path]);
    expect(asked.code).toBe(0);
    expect(asked.stdout).toMatch(
      /^6 rows in 3 records, received since .* Restart the service \(process \d+\)/,
    );
    expect(asked.stdout).toContain('The spool goes back to ');
    const next = await restart(running);
    expect(await contents()).toEqual(before);
    expect(next.output()).toContain('the spool holds 6 rows of 3 batches from before');
  });

  it('changes nothing when nothing was lost: no revision is added, and a newer version from elsewhere stays', async () => {
    directory = await BarsDirectory.make([0]);
    const running = await start();
    await fill(running);
    // Another replica's, whose spool is not here.
    await database.query(
      `WITH old AS (UPDATE bars SET close = 8, received_at = now() + interval '1 hour'
          WHERE ts = '2026-01-01' RETURNING series_id, ts, received_at)
       INSERT INTO bar_revisions SELECT series_id, ts, 0, 9, 0, 1, 1, (SELECT min(received_at) FROM bars WHERE ts <> '2026-01-01'), received_at FROM old`,
    );
    const before = await contents();
    expect(await running.stop()).toBe(0);
    const asked = await mds([...SINCE, '--dir', directory.path]);
    expect(asked.stdout).toContain('Start the service to begin.');
    const next = await start();
    await written(next);
    expect(await contents()).toEqual(before);
    // It was once: the next start writes nothing.
    const after = await restart(next);
    expect(after.output()).not.toContain('the spool holds');
  });

  it('goes back to the time asked for only, and says when there is nothing to do', async () => {
    directory = await BarsDirectory.make([2, 3], 5);
    const run = async (since: string, ...args: string[]) =>
      JSON.parse(
        (await mds(['spool', 'replay', '--since', since, '--dir', directory.path, '--json', ...args])).stdout,
      ) as Record<string, unknown>;
    expect(await run('2026-01-01T00:00:03Z', '--dry-run')).toEqual({
      from: 4,
      records: 2,
      rows: 4,
      oldest_received_at: '2026-01-01T00:00:00Z',
      requested: false,
    });
    expect(await run('2026-01-02')).toMatchObject({ from: null, records: 0, requested: false });
    expect(await run('2026-01-01T00:00:03Z')).toMatchObject({ from: 4, requested: true });
    expect(await run('2026-01-01T00:00:04Z')).toMatchObject({ from: 5, requested: true });
    const running = await start();
    await written(running);
    expect(
      (await storedCsv(running)).filter((line) => line !== '' && !line.startsWith('provider')),
    ).toHaveLength(4);
  });
});
