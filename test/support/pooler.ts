import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from 'pg';

import { eventually } from './eventually.js';

/** The unprivileged user that PgBouncer runs as when the tests run as root. */
const NOBODY = 65_534;

/** PgBouncer in transaction mode: each transaction of a client may be on another connection to the server. */
export class Pooler {
  private readonly directory = mkdtempSync(join(tmpdir(), 'mds-pooler-'));
  private child: ChildProcess | undefined;

  private constructor(
    private readonly port: number,
    private target: string,
  ) {}

  static async start(target: string): Promise<Pooler> {
    const pooler = new Pooler(await freePort(), target);
    chmodSync(pooler.directory, 0o755);
    pooler.configure();
    const asRoot = process.getuid?.() === 0;
    pooler.child = spawn('pgbouncer', [pooler.config], {
      stdio: 'ignore',
      ...(asRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    });
    await eventually('PgBouncer answers', async () => {
      const client = new Client({ connectionString: pooler.url });
      client.on('error', () => undefined);
      try {
        await client.connect();
        await client.end();
        return true;
      } catch {
        return false;
      }
    });
    return pooler;
  }

  /** For clients. */
  get url(): string {
    return `postgres://${new URL(this.target).username}@127.0.0.1:${this.port}/mds`;
  }

  /** Leads all transactions from now on to another database; the clients' connections stay. */
  async switchTo(target: string): Promise<void> {
    this.target = target;
    this.configure();
    this.child?.kill('SIGHUP');
    const name = new URL(target).pathname.slice(1);
    await eventually('PgBouncer leads to the other database', async () => {
      const client = new Client({ connectionString: this.url });
      await client.connect();
      const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
      await client.end();
      return rows[0]?.name === name;
    });
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child?.exitCode === null) {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  private get config(): string {
    return join(this.directory, 'pgbouncer.ini');
  }

  private configure(): void {
    const { hostname, port, pathname, username, password } = new URL(this.target);
    writeFileSync(
      this.config,
      `[databases]
mds = host=${hostname} port=${port} dbname=${pathname.slice(1)} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${this.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
server_fast_close = 1
ignore_startup_parameters = extra_float_digits
`,
    );
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
