import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import pg from 'pg';

/** A service reduced to its database: it prints what it got, then does as its last argument says. */
const SCRIPT = `
const { EmbeddedPostgres } = await import(process.argv[1]);
const [directory, then] = process.argv.slice(2);
const server = new EmbeddedPostgres({ directory, log: (line) => console.log('log', line), preferredPort: 0 });
if (then === 'ignore-interrupt') process.on('SIGINT', () => console.log('interrupted'));
try {
  console.log('url', await server.start());
  console.log('pid', server.pid);
} catch (error) {
  console.log('failed', error.name + ': ' + error.message);
  process.exit(1);
}
if (then === 'exit') process.exit(0);
if (then === 'throw') setTimeout(() => { throw new Error('nobody catches this'); });
setInterval(() => undefined, 1_000);
`;

/** A process of its own that runs the built embedded PostgreSQL. */
export class EmbeddedService {
  private readonly lines: string[] = [];
  private readonly child: ChildProcess;
  private readonly gone: Promise<unknown>;

  constructor(
    directory: string,
    options: { then?: 'exit' | 'throw' | 'ignore-interrupt'; uid?: number; gid?: number } = {},
  ) {
    const { then = 'stay', ...user } = options;
    const built = pathToFileURL(resolve('dist/src/database/embedded/index.js')).href;
    this.child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, built, directory, then], {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
      cwd: '/',
      ...user,
    });
    this.gone = once(this.child, 'close');
    if (this.child.stdout !== null) {
      createInterface(this.child.stdout).on('line', (line) => this.lines.push(line));
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Waits for a line that begins with the word, and resolves to the rest of it. */
  async said(word: string): Promise<string> {
    for (;;) {
      const line = this.lines.find((candidate) => candidate.startsWith(`${word} `) || candidate === word);
      if (line !== undefined) return line.slice(word.length + 1);
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`the service ended without saying ${word}: ${this.lines.join(' | ')}`);
      }
      await sleep(10);
    }
  }

  /** Everything that it said so far. */
  get log(): string {
    return this.lines.join('\n');
  }

  async ended(): Promise<void> {
    await this.gone;
  }

  /** kill -9, of the service alone. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.gone;
  }
}

/** Whether a process runs; one that is dead and not yet collected does not. */
export function isRunning(pid: number): boolean {
  try {
    const state = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return state !== '' && !state.startsWith('Z');
  } catch {
    return false;
  }
}

/** Process ids of everything that was started with this path in its command line. */
export function processesOf(path: string): string[] {
  const list = execFileSync('ps', ['-ww', '-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  return list.filter((line) => line.includes(path) && line.includes('/runtime/'));
}

/** Runs one statement on a connection of its own and resolves to the first column of its first row. */
export async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}
