import { execFile } from 'node:child_process';
import { chown, readlink, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { Client } from 'pg';

import { EmbeddedPostgres } from '../src/database/embedded/index.js';
import { PostgresProxy } from './postgres.proxy.js';
import type { SmallDisk } from './small.disk.js';

const BACK_WITHIN_MS = 60_000;
const LOOK_MS = 50;

/** The role as whom the service comes: unlike the server's owner it is bound by limits. It owns the database. */
export const SERVICE_ROLE = 'chaos';
const DATABASE = 'chaos';

/** A PostgreSQL to do harm to, and the way to it. */
export class StageDatabase {
  private constructor(
    private readonly server: EmbeddedPostgres,
    private readonly directory: string,
    /** Connection of the server's owner, not through the proxy. */
    private readonly ownerUrl: string,
    readonly proxy: PostgresProxy,
  ) {}

  /** @param disk where its tables go; undefined: with the rest of it */
  static async start(directory: string, disk: SmallDisk | undefined): Promise<StageDatabase> {
    const server = new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: 0 });
    const url = new URL(await server.start());
    await makeDatabase(url.href, url.password, disk);
    url.pathname = `/${DATABASE}`;
    const proxy = await PostgresProxy.start({ host: url.hostname, port: Number(url.port) });
    return new StageDatabase(server, directory, url.href, proxy);
  }

  /** Where the service finds it: through the proxy. */
  get serviceUrl(): string {
    const url = new URL(this.ownerUrl);
    url.username = SERVICE_ROLE;
    url.port = String(this.proxy.port);
    return url.href;
  }

  /** Sends a signal to the server's first process, if it runs now. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.server;
    if (pid !== undefined) process.kill(pid, signal);
  }

  /** Sends a signal to all processes of the server: without the others a frozen one would go on serving. */
  async signalAll(signal: NodeJS.Signals): Promise<void> {
    const { pid } = this.server;
    if (pid === undefined) return;
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=']);
    const all = stdout.split('\n').map((line) => line.trim().split(/ +/).map(Number));
    for (const one of [pid, ...all.flatMap(([child = 0, parent]) => (parent === pid ? [child] : []))]) {
      try {
        process.kill(one, signal);
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  /** A connection as the server's owner, as soon as the server takes one; end it. */
  async connect(): Promise<Client> {
    const deadline = performance.now() + BACK_WITHIN_MS;
    for (;;) {
      const client = new Client({ connectionString: this.ownerUrl });
      client.on('error', () => undefined);
      try {
        await client.connect();
        return client;
      } catch (error) {
        // A server that is killed often is started again less and less eagerly.
        if (performance.now() > deadline)
          throw new Error(`PostgreSQL did not come back in ${BACK_WITHIN_MS} ms`, { cause: error });
        await sleep(LOOK_MS);
      }
    }
  }

  /** Resolves when the server takes connections. */
  async ready(): Promise<void> {
    await (await this.connect()).end();
  }

  /** Runs statements, one by one, as the server's owner. @returns the rows of the last */
  async sql<Row extends object>(...statements: readonly string[]): Promise<Row[]> {
    const client = await this.connect();
    try {
      let rows: Row[] = [];
      for (const statement of statements) rows = (await client.query<Row>(statement)).rows;
      return rows;
    } finally {
      await client.end();
    }
  }

  /** Ends the service's sessions: the next ones have what was set for its role meanwhile. */
  async endSessions(): Promise<void> {
    await this.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${SERVICE_ROLE}'`,
    );
  }

  /** Ends the server and removes its files. */
  async stop(): Promise<void> {
    await this.proxy.stop();
    await this.signalAll('SIGCONT');
    await this.server.stop();
    const home = await readlink(join(this.directory, 'home')).catch(() => undefined);
    if (home !== undefined) await rm(home, { recursive: true, force: true });
  }
}

async function makeDatabase(ownerUrl: string, password: string, disk: SmallDisk | undefined): Promise<void> {
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    if (disk) {
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
      const { uid, gid } = await stat(rows[0]?.data_directory ?? '');
      await chown(disk.path, uid, gid);
      await client.query(`CREATE TABLESPACE small LOCATION '${disk.path}'`);
    }
    await client.query(`CREATE ROLE ${SERVICE_ROLE} LOGIN PASSWORD '${password}'`);
    const where = disk ? 'TABLESPACE small' : '';
    await client.query(`CREATE DATABASE ${DATABASE} OWNER ${SERVICE_ROLE} ${where}`);
  } finally {
    await client.end();
  }
}
