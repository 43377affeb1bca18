import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { readRunningUrl } from '../../src/database/embedded/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { isRunning, processesOf } from '../support/embedded-service.js';
import { eventually } from '../support/eventually.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';
import { launchService, startService, type LaunchedService, type TestService } from '../support/service.js';

/** Nobody listens there. */
const NO_DATABASE = 'postgres://nobody@127.0.0.1:9/none';
const TIMEOUT_MS = 8_000;
/** Beyond the time-out the service would have ended itself with 1. */
const STOP = { MDS_SHUTDOWN_TIMEOUT_SEC: String(TIMEOUT_MS / 1_000) };
/** Long enough for the first start of an embedded server on a slow machine. */

const releasers: (() => unknown)[] = [];
let directory: string;

beforeEach(async () => {
  directory = await makeOpenDirectory();
  releasers.push(() => removeDatabase(directory));
});
afterEach(async () => {
  for (let release = releasers.pop(); release !== undefined; release = releasers.pop()) await release();
});

async function start(env: Record<string, string>): Promise<TestService> {
  const service = await startService({ MDS_DATA_DIR: directory, ...STOP, ...env });
  releasers.push(() => service.stop());
  return service;
}

/** Starts a service that is stopped before it serves. */
function launch(env: Record<string, string>): LaunchedService {
  const service = launchService({ MDS_DATA_DIR: directory, ...STOP, ...env });
  releasers.push(() => service.process.kill('SIGKILL'));
  return service;
}

const bars = (count: number): string =>
  Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      ...{ provider: 'p', symbol: 'STOP', interval: '1m', ts: 1_767_225_600 + 60 * index },
      ...{ open: 1, high: 1, low: 1, close: 1, volume: 1 },
    }),
  ).join('\n');

/** Takes bars that are not written. */
async function take(service: TestService, count: number): Promise<void> {
  const { status } = await service.post(bars(count), undefined, '?ack=durable');
  expect(status).toBe(202);
}

async function storedRows(service: TestService): Promise<number> {
  const answer = await service.fetch('/v1/bars?symbols=STOP&format=csv');
  return (await answer.text()).trimEnd().split('\n').length - 1;
}

/** Suspends all processes of the embedded server and gives their ids. */
function freezeEmbedded(): number[] {
  const [postmaster = 0] = processesOf(directory).map((line) => Number.parseInt(line, 10));
  const family = (): number[] =>
    execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/ +/).map(Number))
      .flatMap(([pid = 0, parent]) => (pid === postmaster || parent === postmaster ? [pid] : []));
  process.kill(postmaster, 'SIGSTOP');
  const all = family();
  all.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  // Suspended, they would outlive a test that fails.
  releasers.push(() => all.filter(isRunning).forEach((pid) => process.kill(pid, 'SIGKILL')));
  return all;
}

describe('The end of a service', () => {
  it('SIGTERM ends a service whose database is unreachable with 0; the log names the rows that stay and they are written at the next start', async () => {
    const database = await createDatabase();
    releasers.push(() => database.drop());
    const service = await start({ DATABASE_URL: NO_DATABASE });
    await take(service, 20);
    await expect(service.stop()).resolves.toBe(0);
    expect(service.output()).toMatch(/shutting down: no new bars are taken, 20 rows are queued/);
    expect(service.output()).toMatch(
      /20 rows (were not written in time|could not be written .+): they stay in the spool and are written at the next start/,
    );
    expect(service.output()).not.toMatch(/is written\b|are settled/);

    const next = await start({ DATABASE_URL: database.url });
    await eventually('the rows are written', async () => (await storedRows(next)) === 20);
    await expect(next.stop()).resolves.toBe(0);
    expect(next.output()).toMatch(/all queued rows are settled, none stays in the spool/);
  });

  it('SIGTERM ends a service whose embedded server is frozen with 0, kills that server, and the next start has every row', async () => {
    const service = await start({});
    await expect(service.post(bars(10))).resolves.toMatchObject({ status: 200 });
    const pids = freezeEmbedded();
    expect(pids.length).toBeGreaterThan(3);
    await take(service, 20);
    await expect(service.stop()).resolves.toBe(0);
    expect(service.output()).toMatch(/20 rows .+ stay in the spool/);
    expect(service.output()).toMatch(/\[shutdown\] stopped/);
    await eventually('no process of the server is left', () => !pids.some(isRunning));

    const next = await start({});
    await eventually('the rows are written', async () => (await storedRows(next)) === 20);
  });

  it('SIGTERM ends a service that connects to a database that says nothing with 0', async () => {
    const sockets = new Set<unknown>();
    const silent = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    releasers.push(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const service = launch({ DATABASE_URL: `postgres://nobody@127.0.0.1:${port}/none` });
    await eventually('it connects', () => sockets.size > 0);
    service.process.kill('SIGTERM');
    await expect(service.ended).resolves.toBe(0);
    expect(service.output()).toMatch(/\[shutdown\] stopped/);
  });

  it('SIGTERM ends a service that waits for a lock in its migration with 0', async () => {
    const database = await createDatabase();
    releasers.push(() => database.drop());
    const holder = new Client({ connectionString: database.url });
    await holder.connect();
    releasers.push(() => holder.end());
    await holder.query('BEGIN; LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE');
    const service = launch({ DATABASE_URL: database.url });
    await eventually('it waits for the lock', () => isWaiting(database));
    service.process.kill('SIGTERM');
    await expect(service.ended).resolves.toBe(0);
    expect(service.output()).toMatch(/\[shutdown\] stopped/);
  });

  it.each([
    'a program of the embedded server runs',
    'the embedded server runs',
    'the embedded server is ready',
  ])('ends a service that starts, when %s, with 0 and leaves no process', async (when) => {
    const service = launch({});
    await eventually(when, () => {
      const processes = processesOf(directory);
      if (when === 'the embedded server is ready')
        return readRunningUrl(join(directory, 'postgres')) !== undefined;
      return processes.some(
        (line) => when === 'a program of the embedded server runs' || line.includes('logging_collector'),
      );
    });
    service.process.kill('SIGTERM');
    await expect(service.ended).resolves.toBe(0);
    await eventually('no process is left', () => processesOf(directory).length === 0);
    expect(service.output()).toMatch(/stopped/);
  });

  it('SIGTERM ends a service whose embedded server freezes while it starts with 0 and leaves no process', async () => {
    // The cluster is there: its server needs a moment to be ready.
    await (await start({})).stop();
    const service = launch({});
    await eventually('the server runs', () => processesOf(directory).length > 0);
    const pids = freezeEmbedded();
    await sleep(300);
    service.process.kill('SIGTERM');
    await expect(service.ended).resolves.toBe(0);
    await eventually('no process is left', () => !pids.some(isRunning));
  });

  it('A second SIGTERM ends the service at once with 1', async () => {
    const database = await createDatabase();
    releasers.push(() => database.drop());
    const holder = new Client({ connectionString: database.url });
    await holder.connect();
    releasers.push(() => holder.end());
    await holder.query('BEGIN; LOCK TABLE bars IN ACCESS EXCLUSIVE MODE');
    const service = await start({ DATABASE_URL: database.url, MDS_SHUTDOWN_TIMEOUT_SEC: '600' });
    await take(service, 1);
    service.process.kill('SIGTERM');
    await eventually('it stops', () => service.output().includes('shutting down'));
    // Sooner it is taken for the signal that npm passes on.
    await sleep(1_100);
    const exit = once(service.process, 'exit');
    service.process.kill('SIGTERM');
    await expect(exit).resolves.toEqual([1, null]);
  });
});

describe('A hang-up', () => {
  it('SIGHUP does not end the service', async () => {
    const database = await createDatabase();
    releasers.push(() => database.drop());
    const service = await start({ DATABASE_URL: database.url });
    service.process.kill('SIGHUP');
    await eventually('it says so', () => service.output().includes('received SIGHUP'));
    await expect(service.post(bars(1))).resolves.toMatchObject({ status: 200 });
    await expect(service.stop()).resolves.toBe(0);
  });
});

async function isWaiting(database: TestDatabase): Promise<boolean> {
  const [row] = await database.query<{ waiting: number }>(
    `SELECT count(*)::int AS waiting FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return row?.waiting !== 0;
}
