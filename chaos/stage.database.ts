import { execFile } from 'node:child_process';
import { chown, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { Client } from 'pg';

import { EmbeddedPostgres } from '../src/database/embedded/index.js';
import { PgBouncer } from './pgbouncer.js';
import { PostgresProxy } from './postgres.proxy.js';
import { LOG_LINE_PREFIX, ServerLog } from './server.log.js';
import type { SmallDisk } from './small.disk.js';

const run = promisify(execFile);

const BACK_WITHIN_MS = 60_000;
const LOOK_MS = 50;

/** The role as whom the service comes: unlike the server's owner it is bound by limits. It owns the database. */
export const SERVICE_ROLE = 'chaos';
const DATABASE = 'chaos';

/** How a database is set up. */
export interface StageDatabaseOptions {
  readonly directory: string;
  /** Where its tables go; undefined: with the rest of it. */
  readonly disk: SmallDisk | undefined;
  /** Whether the services reach it through PgBouncer in transaction mode. */
  readonly pooler: boolean;
}

interface Parts {
  readonly server: EmbeddedPostgres;
  readonly directory: string;
  /** Connection of the server's owner, not through the proxy. */
  readonly ownerUrl: string;
  readonly proxy: PostgresProxy;
  readonly pooler: PgBouncer | undefined;
  readonly log: ServerLog;
}

/** A PostgreSQL to do harm to, and the way to it. */
export class StageDatabase {
  private constructor(private readonly parts: Parts) {}

  static async start({ directory, disk, pooler }: StageDatabaseOptions): Promise<StageDatabase> {
    const settings = { log_line_prefix: LOG_LINE_PREFIX };
    const server = new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: 0, settings });
    let bouncer: PgBouncer | undefined;
    try {
      const url = new URL(await server.start());
      await makeDatabase(url.href, url.password, disk);
      url.pathname = `/${DATABASE}`;
      const target = { host: url.hostname, port: Number(url.port) };
      if (pooler)
        bouncer = await PgBouncer.start(directory, { ...target, user: SERVICE_ROLE, password: url.password });
      const proxy = await PostgresProxy.start(bouncer ? { ...target, port: bouncer.port } : target);
      const log = new ServerLog(await dataDirectoryOf(directory));
      return new StageDatabase({ server, directory, ownerUrl: url.href, proxy, pooler: bouncer, log });
    } catch (error) {
      await bouncer?.stop();
      await server.stop();
      throw error;
    }
  }

  get proxy(): PostgresProxy {
    return this.parts.proxy;
  }

  get log(): ServerLog {
    return this.parts.log;
  }

  /** Settings with which a service finds it: through the proxy. */
  get serviceEnvironment(): Record<string, string> {
    const url = this.urlOf(DATABASE);
    // Migrations hold a lock for their session, which a pooler in transaction mode has none of.
    const admin = this.parts.pooler ? { ADMIN_DATABASE_URL: url.href } : {};
    const proxied = new URL(url);
    proxied.port = String(this.proxy.port);
    return { DATABASE_URL: proxied.href, ...admin };
  }

  /** URL of a database of the service's role, not through the proxy. */
  urlOf(database: string): URL {
    const url = new URL(this.parts.ownerUrl);
    url.username = SERVICE_ROLE;
    url.pathname = `/${database}`;
    return url;
  }

  /** Sends a signal to the server's first process, if it runs now. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.parts.server;
    if (pid !== undefined) process.kill(pid, signal);
  }

  /** Sends a signal to all processes of the server: without the others a frozen one would go on serving. */
  async signalAll(signal: NodeJS.Signals): Promise<void> {
    const { pid } = this.parts.server;
    if (pid === undefined) return;
    // It makes no more processes while they are counted.
    if (signal === 'SIGSTOP') signalOne(pid, signal);
    const { stdout } = await run('ps', ['-eo', 'pid=,ppid=']);
    const all = stdout.split('\n').map((line) => line.trim().split(/ +/).map(Number));
    const children = all.flatMap(([child = 0, parent]) => (parent === pid ? [child] : []));
    for (const one of [...children, pid]) signalOne(one, signal);
  }

  /** A connection as the server's owner, as soon as the server takes one; end it. */
  async connect(): Promise<Client> {
    const deadline = performance.now() + BACK_WITHIN_MS;
    for (;;) {
      const client = new Client({ connectionString: this.parts.ownerUrl, connectionTimeoutMillis: 10_000 });
      client.on('error', () => undefined);
      try {
        await client.connect();
        return client;
      } catch (error) {
        await client.end().catch(() => undefined);
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

  /**
   * Keeps a copy of all its files as they are at one moment, as a snapshot of its disk would be: nothing is written
   * meanwhile, because all its processes stand still.
   */
  async takeSnapshot(): Promise<void> {
    const data = await dataDirectoryOf(this.parts.directory);
    await rm(copyOf(data), { recursive: true, force: true });
    await this.signalAll('SIGSTOP');
    try {
      await run('cp', ['-a', data, copyOf(data)]);
    } finally {
      await this.signalAll('SIGCONT');
    }
    await rm(join(copyOf(data), 'postmaster.pid'), { force: true });
  }

  /** Puts the copy in its place. What was committed since then is gone; the server recovers as after a crash. */
  async goBackToSnapshot(): Promise<void> {
    const data = await dataDirectoryOf(this.parts.directory);
    const lost = `${data}.lost`;
    await this.ready();
    // While they stand still they write nothing to either, and nobody starts the server between the two steps.
    await this.signalAll('SIGSTOP');
    await rename(data, lost);
    await rename(copyOf(data), data);
    await this.signalAll('SIGKILL');
    await this.ready();
    await rm(lost, { recursive: true, force: true });
  }

  /** Ends the server and removes its files. */
  async stop(): Promise<void> {
    const { proxy, pooler, server, directory } = this.parts;
    await proxy.stop();
    await this.signalAll('SIGCONT');
    await pooler?.stop();
    await server.stop();
    const home = await readlink(join(directory, 'home')).catch(() => undefined);
    if (home !== undefined) await rm(home, { recursive: true, force: true });
  }
}

/** Where the embedded server has its files. */
async function dataDirectoryOf(directory: string): Promise<string> {
  const home = await realpath(join(directory, 'home')).catch(() => directory);
  return join(home, 'cluster', 'data');
}

const copyOf = (data: string): string => `${data}.snapshot`;

function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
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
