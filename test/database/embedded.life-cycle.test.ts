import { chmod, chown, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';

import { DataDirectoryInUseError } from '../../src/config/data-directory.error.js';
import {
  ClusterVersionError,
  EmbeddedPostgres,
  readRunningUrl,
  ServerStartError,
  StartCancelledError,
} from '../../src/database/embedded/index.js';
import { ask, isRunning, processesOf } from '../support/embedded-service.js';
import { eventually } from '../support/eventually.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';

jest.setTimeout(90_000);

describe('the embedded PostgreSQL', () => {
  let parent: string;
  let directory: string;
  let lines: string[] = [];
  const servers: EmbeddedPostgres[] = [];

  beforeAll(async () => {
    parent = await makeOpenDirectory();
    directory = join(parent, 'postgres');
  });

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    expect(processesOf(parent)).toEqual([]);
    lines = [];
  });

  afterAll(() => removeDatabase(parent));

  function embedded(
    options: { settings?: Record<string, string>; preferredPort?: number } = {},
    at = directory,
  ) {
    const server = new EmbeddedPostgres({
      directory: at,
      log: (line) => lines.push(line),
      preferredPort: 0,
      ...options,
    });
    servers.push(server);
    return server;
  }

  it('starts the first time within seconds, as specified', async () => {
    const url = await embedded().start();
    expect(url).toMatch(/^postgresql:\/\/mds:[\w-]{32}@127\.0\.0\.1:\d+\/market_data$/);
    expect(await ask(url, 'SHOW server_version')).toMatch(/^18\./);
    expect(await ask(url, 'SHOW server_encoding')).toBe('UTF8');
    expect(await ask(url, 'SELECT datcollate FROM pg_database WHERE datname = current_database()')).toBe('C');
    expect(await ask(url, 'SHOW data_checksums')).toBe('on');
    expect(await ask(url, 'SHOW listen_addresses')).toBe('127.0.0.1');
    expect(await ask(url, 'SHOW unix_socket_directories')).toBe('');
    expect(await ask(url, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules")).toBe(
      'scram-sha-256',
    );
    const wrong = url.replace(/mds:[\w-]+@/, 'mds:wrong@');
    await expect(ask(wrong, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('keeps its files to itself', async () => {
    const server = embedded();
    const url = await server.start();
    const mode = async (name: string): Promise<number> => (await stat(join(directory, name))).mode & 0o777;
    expect(await mode('cluster')).toBe(0o700);
    expect(await mode('cluster/data')).toBe(0o700);
    expect(await mode('cluster/password')).toBe(0o600);
    expect(await mode('url')).toBe(0o600);
    expect(readRunningUrl(directory)).toBe(url);
    await server.stop();
    expect(readRunningUrl(directory)).toBeUndefined();
    expect((await readdir(directory)).sort()).toEqual(['cluster', 'runtime']);
    const logs = await readdir(join(directory, 'cluster', 'data', 'log'));
    expect(logs).toEqual([expect.stringMatching(/^postgresql-(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\.log$/)]);
  });

  it('never says the password in a log line', async () => {
    const url = await embedded().start();
    expect(lines).toEqual([
      expect.stringMatching(/^PostgreSQL 18 runs on 127\.0\.0\.1:\d+, its files are in /),
    ]);
    expect(lines.join('\n')).not.toContain(new URL(url).password);
  });

  it('has on the next start what was committed before', async () => {
    const server = embedded();
    await ask(await server.start(), 'CREATE TABLE kept AS SELECT 42 AS answer');
    await server.stop();
    expect(await ask(await server.start(), 'SELECT answer FROM kept')).toBe(42);
  });

  it('is started once by many callers, and stopped once', async () => {
    const server = embedded();
    expect(server.pid).toBeUndefined();
    const urls = await Promise.all([server.start(), server.start(), server.start()]);
    expect(new Set([...urls, await server.start()]).size).toBe(1);
    const { pid = 0 } = server;
    expect(isRunning(pid)).toBe(true);
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(server.pid).toBeUndefined();
    expect(isRunning(pid)).toBe(false);
  });

  it('starts again when it is asked to while it stops', async () => {
    const server = embedded();
    await server.start();
    const stopping = server.stop();
    expect(await ask(await server.start(), 'SELECT 1')).toBe(1);
    await stopping;
  });

  it('is stopped in the middle of its first start without a trace, and then starts', async () => {
    const at = join(parent, 'interrupted');
    for (const afterMs of [0, 100, 200, 400, 800, 1_200]) {
      const server = embedded({}, at);
      const outcome = server.start().catch((error: unknown) => error);
      await sleep(afterMs);
      await server.stop();
      expect(server.pid).toBeUndefined();
      expect(processesOf(parent)).toEqual([]);
      const result = await outcome;
      if (typeof result !== 'string') expect(result).toBeInstanceOf(StartCancelledError);
      expect((await readdir(at).catch(() => [])).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    }
    expect(await ask(await embedded({}, at).start(), 'SELECT 1')).toBe(1);
  });

  it('takes another port when its own is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const url = await embedded({ preferredPort: port }).start();
    expect(new URL(url).port).not.toBe(String(port));
    expect(await ask(url, 'SELECT 1')).toBe(1);
    other.close();
  });

  it('takes its preferred port again when it is free', async () => {
    // Another program on this machine may happen to take the port in between.
    await eventually('it has its port again', async () => {
      const server = embedded();
      const port = Number(new URL(await server.start()).port);
      await server.stop();
      const again = embedded({ preferredPort: port });
      const { port: got } = new URL(await again.start());
      await again.stop();
      return got === String(port);
    });
  });

  it('takes more settings, and none that would open it to the network', async () => {
    const url = await embedded({ settings: { work_mem: '7MB', listen_addresses: '*' } }).start();
    expect(await ask(url, 'SHOW work_mem')).toBe('7MB');
    expect(await ask(url, 'SHOW listen_addresses')).toBe('127.0.0.1');
  });

  it('says what PostgreSQL said when it does not start, and can be started again', async () => {
    const failure = await embedded({ settings: { work_mem: 'plenty' } })
      .start()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ServerStartError);
    expect((failure as Error).message).toContain('invalid value for parameter "work_mem": "plenty"');
    expect(await ask(await embedded().start(), 'SELECT 1')).toBe(1);
  });

  it('refuses a second one on the same directory and is not harmed by it', async () => {
    const url = await embedded().start();
    const second = embedded();
    await expect(second.start()).rejects.toThrow(DataDirectoryInUseError);
    await second.stop();
    expect(await ask(url, 'SELECT 1')).toBe(1);
    expect(readRunningUrl(directory)).toBe(url);
  });

  it('comes back by itself on the same port when it is killed', async () => {
    const server = embedded();
    const url = await server.start();
    const { pid = 0 } = server;
    process.kill(pid, 'SIGKILL');
    // It answers a moment before the supervisor has seen that it is ready.
    await eventually('the supervisor has another server', () => ![undefined, pid].includes(server.pid));
    expect(await ask(url, 'SELECT 1')).toBe(1);
    expect(lines).toContain(
      `PostgreSQL (process ${pid}) ended unexpectedly with signal SIGKILL; it is started again`,
    );
    expect(lines).toContain(`PostgreSQL runs again (process ${server.pid ?? 0})`);
  });

  it('waits for its port when somebody took it in the meantime', async () => {
    const server = embedded();
    const url = await server.start();
    const squatter = createServer();
    await eventually('its port is taken', () => {
      // Again when it was back before the port was taken.
      if (server.pid !== undefined && isRunning(server.pid)) process.kill(server.pid, 'SIGKILL');
      return listens(squatter, Number(new URL(url).port));
    });
    await eventually('it says so', () => lines.some((line) => line.includes('another process does')));
    await new Promise((resolve) => squatter.close(resolve));
    await eventually('the server answers', () =>
      ask(url, 'SELECT 1')
        .then(() => true)
        .catch(() => false),
    );
  });

  it('can be stopped when it has just died', async () => {
    for (const afterMs of [0, 20, 150, 300]) {
      const server = embedded();
      await server.start();
      process.kill(server.pid ?? 0, 'SIGKILL');
      await sleep(afterMs);
      await server.stop();
      expect(processesOf(parent)).toEqual([]);
    }
  });

  it('ends the connections of its clients when it is stopped', async () => {
    const server = embedded();
    const url = await server.start();
    const asleep = ask(url, 'SELECT pg_sleep(60)').catch((error: unknown) => error);
    await eventually(
      'the query runs',
      async () =>
        (await ask(url, "SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")) ===
        1,
    );
    await server.stop();
    expect(await asleep).toBeInstanceOf(Error);
  });

  it('does not touch a cluster of another major version', async () => {
    const at = join(parent, 'older');
    await mkdir(join(at, 'cluster', 'data'), { recursive: true });
    await writeFile(join(at, 'cluster', 'data', 'PG_VERSION'), '17\n');
    await chmod(join(at, 'cluster'), 0o700);
    if (process.getuid?.() === 0) await chown(join(at, 'cluster'), 65534, 65534);
    const failure = embedded({}, at).start();
    await expect(failure).rejects.toThrow(ClusterVersionError);
    await expect(failure).rejects.toMatchObject({ found: 17, expected: 18 });
    expect((await readdir(join(at, 'cluster', 'data'))).sort()).toEqual(['PG_VERSION']);
  });
});

function listens(server: ReturnType<typeof createServer>, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
}
