import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';

import { EmbeddedPostgres, readRunningUrl } from '../../src/database/embedded/index.js';
import { isPostgresByPs, isPostgresOn } from '../../src/database/embedded/process.identity.js';
import { childrenOf } from '../../src/database/embedded/process.tree.js';
import { ask, EmbeddedService, isRunning, processesOf } from '../support/embedded-service.js';
import { eventually } from '../support/eventually.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';

const ROOT = process.getuid?.() === 0;

jest.setTimeout(90_000);

describe('the embedded PostgreSQL after a crash', () => {
  let parent: string;
  let directory: string;
  let dataDirectory: string;
  let postmasterFile: string;
  let lines: string[] = [];
  const servers: EmbeddedPostgres[] = [];
  const services: EmbeddedService[] = [];

  beforeAll(async () => {
    parent = await makeOpenDirectory();
    directory = join(parent, 'postgres');
    dataDirectory = join(directory, 'cluster', 'data');
    postmasterFile = join(dataDirectory, 'postmaster.pid');
    await embedded().start();
    await stopAll();
    lines = [];
  });

  afterEach(async () => {
    await stopAll();
    expect(processesOf(parent)).toEqual([]);
    lines = [];
  });

  afterAll(() => removeDatabase(parent));

  async function stopAll(): Promise<void> {
    await Promise.all(services.splice(0).map((service) => service.kill()));
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  }

  function embedded(at = directory): EmbeddedPostgres {
    const server = new EmbeddedPostgres({ directory: at, log: (line) => lines.push(line), preferredPort: 0 });
    servers.push(server);
    return server;
  }

  function service(...args: ConstructorParameters<typeof EmbeddedService>): EmbeddedService {
    const started = new EmbeddedService(...args);
    services.push(started);
    return started;
  }

  /** Leaves a `postmaster.pid` as the server would have written it. */
  async function leaveFile(text: string): Promise<void> {
    await writeFile(postmasterFile, text, { mode: 0o600 });
    if (ROOT) await chown(postmasterFile, 65534, 65534);
  }

  const fileOf = (pid: number): string =>
    `${pid}\n${dataDirectory}\n1700000000\n54329\n\n127.0.0.1\n  5432001    32768\nready   \n`;

  it('ends the server that a service killed with -9 left, and has what it had committed', async () => {
    const killed = service(directory);
    const url = await killed.said('url');
    const orphan = Number(await killed.said('pid'));
    await ask(url, 'CREATE TABLE survivors AS SELECT 7 AS n');
    await killed.kill();
    expect(isRunning(orphan)).toBe(true);
    expect(readRunningUrl(directory)).toBe(url);
    expect(await isPostgresOn(orphan, dataDirectory)).toBe(true);
    expect(await isPostgresByPs(orphan, dataDirectory)).toBe(true);
    expect(await isPostgresByPs(orphan, join(parent, 'other'))).toBe(false);

    const since = performance.now();
    const next = embedded();
    expect(await ask(await next.start(), 'SELECT n FROM survivors')).toBe(7);
    expect(performance.now() - since).toBeLessThan(30_000);
    expect(isRunning(orphan)).toBe(false);
    expect(next.pid).not.toBe(orphan);
    expect(lines[0]).toBe(
      `PostgreSQL (process ${orphan}) was left running by an earlier service; it is stopped first`,
    );
  });

  it('waits for the processes of a server that was killed with its service', async () => {
    const killed = service(directory);
    const url = await killed.said('url');
    const orphan = Number(await killed.said('pid'));
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const backend = rows[0]?.pid ?? 0;
    // Suspended, it cannot notice that its parent is gone: like one in the middle of a long statement.
    process.kill(backend, 'SIGSTOP');
    await killed.kill();
    process.kill(orphan, 'SIGKILL');
    const starting = embedded().start();
    await sleep(1_500);
    expect(servers[0]?.pid).toBeUndefined();
    process.kill(backend, 'SIGKILL');
    expect(await ask(await starting, 'SELECT 1')).toBe(1);
    await client.end().catch(() => undefined);
  });

  it('The next start ends a server that was left with all its processes suspended', async () => {
    const killed = service(directory);
    const url = await killed.said('url');
    const orphan = Number(await killed.said('pid'));
    await ask(url, 'CREATE TABLE frozen AS SELECT 8 AS n');
    process.kill(orphan, 'SIGSTOP');
    const children = await childrenOf(orphan);
    expect(children.length).toBeGreaterThan(3);
    children.forEach((pid) => process.kill(pid, 'SIGSTOP'));
    await killed.kill();
    expect(await ask(await embedded().start(), 'SELECT n FROM frozen')).toBe(8);
    expect([orphan, ...children].filter(isRunning)).toEqual([]);
  });

  it.each([0, 60, 150, 300, 600])(
    'starts after a service killed %i ms into its first start',
    async (afterMs) => {
      const at = join(parent, `half-${afterMs}`);
      const killed = service(at);
      await eventually('a process runs', () => processesOf(at).length > 0);
      await sleep(afterMs);
      await killed.kill();
      expect(await ask(await embedded(at).start(), 'SELECT 1')).toBe(1);
      await stopAll();
      await eventually('no process runs', () => processesOf(at).length === 0);
    },
  );

  it('is not kept from starting by the number of a dead process', async () => {
    const dead = spawn('true');
    await once(dead, 'exit');
    await leaveFile(fileOf(dead.pid ?? 0));
    expect(await ask(await embedded().start(), 'SELECT 1')).toBe(1);
  });

  it('is not kept from starting by the number of a process that is no PostgreSQL, and spares it', async () => {
    // The user of the server itself: of another user's process PostgreSQL would see that it is not its own.
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore', ...(ROOT && { uid: 65534, gid: 65534 }) });
    await once(stranger, 'spawn');
    const pid = stranger.pid ?? 0;
    await leaveFile(fileOf(pid));
    expect(await ask(await embedded().start(), 'SELECT 1')).toBe(1);
    expect(lines[0]).toBe(`postmaster.pid is stale: process ${pid} is not this PostgreSQL`);
    expect(isRunning(pid)).toBe(true);
    stranger.kill('SIGKILL');
  });

  it('is not kept from starting by the number of another PostgreSQL, and spares it', async () => {
    const other = embedded(join(parent, 'other'));
    const url = await other.start();
    await leaveFile(fileOf(other.pid ?? 0));
    expect(await ask(await embedded().start(), 'SELECT 1')).toBe(1);
    expect(await ask(url, 'SELECT 1')).toBe(1);
  });

  it.each(['', 'not a number\n', '0\n', '-1\n', '99999999999\n'])(
    'is not kept from starting by a postmaster.pid that says %j',
    async (text) => {
      await leaveFile(text);
      expect(await ask(await embedded().start(), 'SELECT 1')).toBe(1);
    },
  );

  it('leaves no server when its service exits or fails without stopping it', async () => {
    for (const then of ['exit', 'throw'] as const) {
      const ending = service(directory, { then });
      const pid = Number(await ending.said('pid'));
      await ending.ended();
      await eventually('the process has ended', () => !isRunning(pid));
    }
  });

  it('goes on when Ctrl-C reaches the whole terminal, so that the service can drain into it', async () => {
    const interrupted = service(directory, { then: 'ignore-interrupt' });
    const url = await interrupted.said('url');
    process.kill(-interrupted.pid, 'SIGINT');
    await interrupted.said('interrupted');
    await sleep(300);
    expect(await ask(url, 'SELECT 1')).toBe(1);
    await interrupted.kill();
    await embedded().start();
  });

  it('gets the same password again, and a new one when it begins anew', async () => {
    const password = await readFile(join(directory, 'cluster', 'password'), 'utf8');
    expect(new URL(await embedded().start()).password).toBe(password.trim());
    await stopAll();
    const anew = join(parent, 'anew');
    expect(new URL(await embedded(anew).start()).password).not.toBe(password.trim());
    await stopAll();
    await rm(anew, { recursive: true });
  });
});
