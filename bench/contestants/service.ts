import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import type { PostTarget } from '../load/post.job.js';
import { readLedger } from '../load/ledger.js';
import { endProcess } from '../process/end.process.js';
import { type RunningProgram, startProgram, untilReady } from '../process/program.js';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const PACKAGE = new URL('../../../package.json', import.meta.url);
const PROBE = new URL('../profile/profiler.main.js', import.meta.url).href;
const READY = /API +(http:\/\/\S+)\/v1\/bars/;
const TOKEN = 'bench-admin-token-0001';

/** How to start the service; everything that is not said is its default. */
export interface ServiceOptions {
  readonly databaseUrl: string;
  readonly dataDirectory: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Path of a CPU profile that is written when the service stops. */
  readonly profile?: string | undefined;
}

/** The built service as a process of its own, started as a user would. */
export class Service {
  private constructor(
    private readonly program: RunningProgram,
    /** Such as http://127.0.0.1:43210. */
    readonly url: string,
  ) {}

  /** Starts it on a free port and waits until it serves. */
  static async start({ databaseUrl, dataDirectory, env, profile }: ServiceOptions): Promise<Service> {
    const program = startProgram(
      process.execPath,
      [...flagsOfStart(), ...(profile === undefined ? [] : ['--import', PROBE]), MAIN],
      {
        // Not the project's folder: a developer's .env must not reach a benchmark.
        cwd: dataDirectory,
        env: {
          PATH: process.env['PATH'],
          APP_HOST: '127.0.0.1',
          APP_PORT: '0',
          ADMIN_TOKEN: TOKEN,
          DATABASE_URL: databaseUrl,
          MDS_DATA_DIR: dataDirectory,
          ...(profile === undefined ? {} : { BENCH_PROFILE: profile }),
          ...env,
        },
      },
    );
    const url = await untilReady(program, () => READY.exec(program.output())?.[1]);
    if (profile !== undefined) program.child.kill('SIGUSR2');
    return new Service(program, url);
  }

  /** Where bars are posted, as JSON lines; `query` begins with a question mark. */
  target(query = ''): PostTarget & { readonly token: string } {
    return {
      url: `${this.url}/v1/bars${query}`,
      format: 'ndjson',
      token: TOKEN,
      ledgerUrl: `${this.url}/v1/coordinator`,
    };
  }

  /** Where its rows are. */
  ledger(): ReturnType<typeof readLedger> {
    return readLedger(this.target());
  }

  /** A gauge or counter without labels, as `/metrics` tells it. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]);
  }

  /** Resident memory, MiB. */
  async residentMiB(): Promise<number> {
    return await residentMiB(this.program.child.pid ?? 0);
  }

  async stop(): Promise<void> {
    await endProcess(this.program.child);
  }
}

/** What `npm start` gives to Node. */
function flagsOfStart(): string[] {
  const { scripts } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { scripts: { start: string } };
  return scripts.start.split(' ').filter((word) => word.startsWith('--'));
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined);
  const kib = status === undefined ? await askPs(pid) : /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
  return Number(kib) / 1_024;
}

/** Where there is no /proc. */
async function askPs(pid: number): Promise<string> {
  const ps = spawn('ps', ['-o', 'rss=', '-p', String(pid)], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  for await (const chunk of ps.stdout) text += String(chunk);
  return text;
}
