import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, expect, it } from '@jest/globals';

import { readExposition } from '../contract/exposition.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { FakeTime } from '../support/fake-time.js';
import { describeWith } from '../support/requirement.js';
import { startService, type TestService } from '../support/service.js';

const DAY = 86_400;
/** Nobody listens there. */
const NO_DATABASE = 'postgres://nobody@127.0.0.1:9/none';

let database: TestDatabase;
let directory: string;
let time: FakeTime;
const services: TestService[] = [];

/** Starts a service on a machine whose clock is so many seconds ahead. */
async function start(clock: FakeTime, env: Record<string, string> = {}): Promise<TestService> {
  const service = await startService({ DATABASE_URL: database.url, ...clock.env, ...env });
  services.push(service);
  return service;
}

const barOf = (close: number): string =>
  JSON.stringify({
    ...{ provider: 'p', symbol: 'A', interval: '1d', ts: '2026-01-02' },
    ...{ open: 1, high: 1e6, low: 0, close, volume: 1 },
  });

/** Sends a version of the one bar and gives what became of it. */
async function send(service: TestService, close: number, ack = 'stored') {
  const { status, json } = await service.post(barOf(close), undefined, `?ack=${ack}`);
  return { status, inserted: json['inserted'], updated: json['updated'] };
}

async function storedClose(): Promise<number | undefined> {
  const [row] = await database.query<{ close: number }>('SELECT close FROM bars');
  return row?.close;
}

async function clockOf(service: TestService) {
  const health = (await (await service.fetch('/healthz')).json()) as {
    components: { name: string; state: string; details: Record<string, string> }[];
  };
  const { state, details } = health.components.find(({ name }) => name === 'clock') ?? {};
  const metrics = readExposition(await (await service.fetch('/metrics')).text());
  return { state, message: details?.['message'], offset: metrics.value('mds_clock_offset_seconds') };
}

describeWith('faketime', 'The clocks of machines', () => {
  beforeEach(async () => {
    database = await createDatabase();
    directory = await mkdtemp(join(tmpdir(), 'mds-clocks-'));
    time = new FakeTime(0);
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.stop()));
    await database.drop();
    time.remove();
    await rm(directory, { recursive: true, force: true });
  });

  it.each([
    [30, 0],
    [-30, 0],
    [2 * DAY, 0],
    [0, -2 * DAY],
  ])(
    'A clock that is set over a restart, from %d s ahead to %d s, does not make a correction lose',
    async (before, after) => {
      time.setAhead(before);
      const first = await start(time, { MDS_DATA_DIR: directory });
      expect(await send(first, 1)).toMatchObject({ status: 200, inserted: 1 });
      expect(await first.stop()).toBe(0);

      time.setAhead(after);
      const second = await start(time, { MDS_DATA_DIR: directory });
      expect(await send(second, 2)).toMatchObject({ status: 200, updated: 1 });
      expect(await storedClose()).toBe(2);
    },
  );

  it.each([-2 * DAY, -30])(
    'A clock that is set by %d s over a restart without the database does not make a correction lose',
    async (after) => {
      const away = { MDS_DATA_DIR: directory, DATABASE_URL: NO_DATABASE };
      const first = await start(time, away);
      expect(await send(first, 1, 'durable')).toMatchObject({ status: 202 });
      await first.kill();

      time.setAhead(after);
      const second = await start(time, away);
      expect(await send(second, 2, 'durable')).toMatchObject({ status: 202 });
      expect((await clockOf(second)).state).toBe('degraded');
      await second.kill();

      time.setAhead(0);
      await start(time, { MDS_DATA_DIR: directory });
      await eventually('both are written', async () => (await storedClose()) === 2);
      await expect(database.query('SELECT close FROM bar_revisions')).resolves.toEqual([{ close: 1 }]);
    },
  );

  it('The clocks of two services, apart, stepped or standing still, do not change which correction wins', async () => {
    const other = new FakeTime(-30);
    try {
      time.setAhead(30);
      const pair = [await start(time), await start(other)] as const;
      let close = 1;
      const sendThroughBoth = async (): Promise<void> => {
        for (const service of [...pair, ...pair]) {
          const { status, inserted, updated } = await send(service, ++close);
          expect({ close, status, written: Number(inserted) + Number(updated) }).toEqual({
            ...{ close, status: 200, written: 1 },
          });
          // Longer than what two readings of PostgreSQL's clock may differ on a busy machine.
          await sleep(200);
        }
        expect(await storedClose()).toBe(close);
      };

      await sendThroughBoth();
      for (const seconds of [-30, 2 * DAY, -2 * DAY]) {
        time.setAhead(seconds);
        await sendThroughBoth();
      }
      time.freeze();
      await sendThroughBoth();
      // Received one after the other, as PostgreSQL's clock says.
      const [wrong] = await database.query<{ count: number }>(
        'SELECT count(*)::int FROM bars WHERE received_at NOT BETWEEN now() - interval $$10 minutes$$ AND now()',
      );
      expect(wrong).toEqual({ count: 0 });
      expect(await database.query('SELECT close FROM bar_revisions ORDER BY received_at')).toEqual(
        Array.from({ length: close - 2 }, (_, index) => ({ close: index + 2 })),
      );
    } finally {
      other.remove();
    }
  });

  it('A clock that is more than a second wrong is in /healthz and in a metric', async () => {
    time.setAhead(30);
    const service = await start(time);
    const ahead = await clockOf(service);
    expect(ahead).toMatchObject({
      state: 'degraded',
      message: expect.stringMatching(/^this machine's clock is (30|29)\.\d s ahead of PostgreSQL's/),
    });
    expect(ahead.offset).toBeGreaterThan(25);
    expect(ahead.offset).toBeLessThan(35);
    await expect(service.fetch('/readyz').then(({ status }) => status)).resolves.toBe(200);

    time.setAhead(0);
    await expect(clockOf(service)).resolves.toMatchObject({ state: 'healthy', message: undefined });
    time.setAhead(-2 * DAY);
    await expect(clockOf(service)).resolves.toMatchObject({
      state: 'degraded',
      message: expect.stringMatching(/ s behind PostgreSQL's/),
    });
  });
});
