import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from '@jest/globals';

import { SmallDisk } from '../../chaos/small.disk.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { describeUnless } from '../support/requirement.js';
import { startService, type TestService } from '../support/service.js';

const MIB = 1024 * 1024;
const FIRST_TS = Date.UTC(2026, 0, 1) / 1000;
/** Nobody listens there. */
const NO_DATABASE = 'postgres://nobody@127.0.0.1:9/none';

interface State {
  readonly level: string;
  readonly dlq_records: number;
  readonly rows: {
    readonly accepted: number;
    readonly committed: number;
    readonly spooled: number;
    readonly dead_lettered: number;
    readonly residual: number;
  };
}

describeUnless(SmallDisk.obstacle(), 'a service whose disk is full', () => {
  let database: TestDatabase;
  let disk: SmallDisk;
  let service: TestService | undefined;
  let sent: number;

  beforeEach(async () => {
    database = await createDatabase();
    disk = await SmallDisk.mount(await mkdtemp(join(tmpdir(), 'mds-disk-')), 16 * MIB);
    sent = 0;
  });
  afterEach(async () => {
    await service?.stop();
    await disk.unmount();
    await rm(disk.path, { recursive: true, force: true });
    await database.drop();
  });

  const start = async (url = database.url): Promise<TestService> => {
    service = await startService({
      DATABASE_URL: url,
      MDS_DATA_DIR: disk.path,
      // Segments of 128 KiB.
      MDS_SPOOL_MAX_BYTES: String(MIB),
      MDS_CB_HALF_OPEN_AFTER_SEC: '0.5',
    });
    return service;
  };

  /** Posts bars that were never sent before; those of a refused batch are not sent again. */
  const post = async (to: TestService, rows: number) => {
    const lines = Array.from({ length: rows }, () => {
      const ts = FIRST_TS + sent++ * 60;
      const prices = { open: 0, high: 1e9, low: 0, close: sent, volume: 1 };
      return JSON.stringify({ provider: 'p', symbol: 'DISK', interval: '1m', ts, ...prices });
    });
    return await to.post(lines.join('\n'), undefined, '?ack=durable');
  };
  const stateOf = async (of: TestService) => (await (await of.fetch('/v1/coordinator')).json()) as State;
  const settled = async (of: TestService) => {
    await eventually('the spool is written', async () => {
      const { rows } = await stateOf(of);
      expect(rows.residual).toBe(0);
      return rows.spooled === 0;
    });
  };
  const stored = async () =>
    Number((await database.query<{ n: string }>('SELECT count(*) AS n FROM bars'))[0]?.n);
  const expectFull = async (of: TestService, rows: number) => {
    const answer = await post(of, rows);
    expect([answer.status, answer.json.code]).toEqual([503, 'spool-full']);
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  };
  /** Resolves with the rows of the batches until one was taken. */
  const healed = async (of: TestService, rows: number) => {
    await eventually('bars are taken again', async () => (await post(of, rows)).status === 202);
  };

  // A batch of 2,000 rows is more than a segment: each begins a new one. One of 10 rows is appended to it.
  for (const [what, rows] of [
    ['in the middle of a segment', 10],
    ['where a segment begins', 2_000],
  ] as const) {
    it(`${what} answers 503 spool-full, takes bars again when there is room, and has all it took`, async () => {
      const running = await start();
      expect((await post(running, rows)).status).toBe(202);
      await disk.fill();
      // What is left of a page takes a few bars more.
      let taken = 1;
      for (; taken < 100; taken++) if ((await post(running, rows)).status !== 202) break;
      await expectFull(running, rows);
      expect((await stateOf(running)).level).toBe('hard');
      expect((await running.fetch('/livez')).status).toBe(200);
      expect(running.output()).toContain('no bars are taken');
      // An entry for each request would fill a disk that holds the log too.
      expect(running.output()).not.toContain('[http]');

      await disk.empty();
      await healed(running, rows);
      await settled(running);
      const { rows: books } = await stateOf(running);
      expect(books.accepted).toBe((taken + 1) * rows);
      expect(await stored()).toBe(books.accepted);
      expect((await stateOf(running)).level).toBe('ok');
    });
  }

  it('is killed and started again: writes what it took, and makes room for more', async () => {
    const first = await start(NO_DATABASE);
    for (let batch = 0; batch < 3; batch++) expect((await post(first, 500)).status).toBe(202);
    await disk.fill();
    await first.kill();

    const second = await start();
    await settled(second);
    expect(await stored()).toBe(1_500);
    // The checkpoint has its room already: what was written is not read again.
    await expect(second.stop()).resolves.toBe(0);
    const third = await start();
    expect((await stateOf(third)).rows).toMatchObject({ accepted: 1_500, committed: 1_500, spooled: 0 });
    // The disk is as full as before, but segments that are kept for replay give way.
    await healed(third, 500);
    await settled(third);
    expect(await stored()).toBe(2_000);
  });

  it('keeps what PostgreSQL refuses in the spool until the dead letter has room', async () => {
    const running = await start();
    await database.query('ALTER TABLE bars ADD CONSTRAINT odd CHECK (close <> 7)');
    await database.query('BEGIN');
    await database.query('LOCK TABLE bars IN ACCESS EXCLUSIVE MODE');
    expect((await post(running, 100)).status).toBe(202);
    await disk.fill();
    await database.query('COMMIT');

    await eventually('the dead letter finds no room', () =>
      running.output().includes('the dead letters cannot be used now'),
    );
    expect(await stateOf(running)).toMatchObject({ dlq_records: 0, rows: { spooled: 100, residual: 0 } });
    await disk.empty();
    await settled(running);
    expect(await stateOf(running)).toMatchObject({
      dlq_records: 1,
      rows: { committed: 99, dead_lettered: 1, residual: 0 },
    });
    expect(await stored()).toBe(99);
  });
});
