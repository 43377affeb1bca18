import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Client } from 'pg';

import { endProcess } from '../bench/process/end.process.js';
import { freePort } from '../bench/process/free.port.js';
import { findProgram, startProgram, untilReady, type RunningProgram } from '../bench/process/program.js';
import { unprivilegedUser } from '../src/database/embedded/system.user.js';

/** A server and who is let in. */
export interface PgBouncerTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** PgBouncer in transaction mode in front of a server: each transaction may come to another session. */
export class PgBouncer {
  private constructor(
    private readonly program: RunningProgram,
    readonly port: number,
  ) {}

  /** Why there is none here; undefined when there is. */
  static obstacle(): string | undefined {
    return findProgram('pgbouncer') === undefined ? "Debian's pgbouncer is not installed" : undefined;
  }

  /** @param directory where its settings go */
  static async start(directory: string, target: PgBouncerTarget): Promise<PgBouncer> {
    const port = await freePort();
    const home = join(directory, 'pgbouncer');
    await mkdir(home, { recursive: true, mode: 0o755 });
    const settings = join(home, 'pgbouncer.ini');
    const users = join(home, 'users.txt');
    await writeFile(users, `"${target.user}" "${target.password}"\n`, { mode: 0o600 });
    await writeFile(settings, settingsOf(target, port, users), { mode: 0o600 });
    const user = process.getuid?.() === 0 ? await unprivilegedUser() : undefined;
    if (user) for (const path of [home, users, settings]) await chown(path, user.uid, user.gid);
    const path = findProgram('pgbouncer') ?? 'pgbouncer';
    const program = startProgram(path, [settings], user ? { uid: user.uid, gid: user.gid } : {});
    const bouncer = new PgBouncer(program, port);
    try {
      await untilReady(program, () => answers(target, port));
    } catch (error) {
      await bouncer.stop();
      throw error;
    }
    return bouncer;
  }

  /** What it said last. */
  get output(): string {
    return this.program.output();
  }

  async stop(): Promise<void> {
    // It waits for its clients on SIGINT; SIGTERM ends it at once.
    await endProcess(this.program.child);
  }
}

async function answers({ host, user, password }: PgBouncerTarget, port: number): Promise<true | undefined> {
  const client = new Client({ host, port, user, password, database: user });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function settingsOf({ host, port, user }: PgBouncerTarget, listenPort: number, users: string): string {
  return `[databases]
${user} = host=${host} port=${port} dbname=${user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
max_client_conn = 500
default_pool_size = 20
server_login_retry = 1
server_connect_timeout = 5
query_wait_timeout = 30
ignore_startup_parameters = extra_float_digits
`;
}
