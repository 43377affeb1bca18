import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const READY = /API +(http:\/\/\S+)\/v1\/bars/;
/** Patience with a machine that is busy with other things. */
const START_MS = 180_000;
const ANSWER_MS = 20_000;
const SAID_MS = 30_000;
const TOKEN = 'chaos-admin-token-0001';

/** Header that lets a request in. */
export const AUTHORIZATION = { authorization: `Bearer ${TOKEN}` } as const;

/** An answer with its body read. */
export interface Answer {
  readonly status: number;
  /** Seconds, as the service wrote them. */
  readonly retryAfter: string | null;
  readonly text: string;
}

/** GET /v1/coordinator, as far as it is looked at here. */
export interface CoordinatorState {
  readonly rows: {
    readonly accepted: number;
    readonly committed: number;
    readonly spooled: number;
    readonly dead_lettered: number;
    readonly residual: number;
  };
  readonly spool: { readonly bytes: number };
  readonly dlq_records: number;
}

/** The service as a process that may die at any time. */
export class ServiceProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /** Starts it and waits until it listens. */
  static async start(env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
    const child = spawn(process.execPath, [MAIN], {
      env: { PATH: process.env['PATH'], APP_HOST: '127.0.0.1', APP_PORT: '0', ADMIN_TOKEN: TOKEN, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
    const url = await new Promise<string>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        output = (output + chunk.toString()).slice(-10_000);
        const match = READY.exec(output)?.[1];
        if (match !== undefined) resolve(match);
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.once('exit', (code, signal) =>
        reject(new Error(`the service ended with ${code ?? signal} before it served:\n${output}`)),
      );
    }).finally(() => clearTimeout(timer));
    return new ServiceProcess(child, url);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Bytes of memory that it has now. */
  async memory(): Promise<number> {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(this.pid)]);
    return Number(stdout) * 1024;
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    if (this.isGone) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exit;
  }

  /** Asks it to end. @returns its exit code */
  async stop(): Promise<number | null> {
    if (!this.isGone) {
      const exit = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      await exit;
    }
    return this.child.exitCode;
  }

  /** Resolves when a line of its log, from now on, matches. Rejects when none does in 30 s. */
  says(pattern: RegExp): Promise<void> {
    const said = this.hears(pattern);
    // The harm may fail before anybody waits for what the service says to it.
    said.catch(() => undefined);
    return said;
  }

  private async hears(pattern: RegExp): Promise<void> {
    const { stdout } = this.child;
    if (!stdout) throw new Error('the service has no output');
    let tail = '';
    let hear: (chunk: Buffer) => void = () => undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        hear = (chunk) => {
          tail = (tail + chunk.toString()).slice(-10_000);
          if (pattern.test(tail)) resolve();
        };
        stdout.on('data', hear);
        timer = setTimeout(() => reject(new Error(`the service did not say ${String(pattern)}`)), SAID_MS);
      });
    } finally {
      clearTimeout(timer);
      stdout.off('data', hear);
    }
  }

  /** Posts bars. */
  async post(body: string, query = '', type = 'application/x-ndjson'): Promise<Answer> {
    const headers = { 'content-type': type };
    return await this.request(`/v1/bars${query}`, { method: 'POST', headers, body });
  }

  /** GET of a JSON document. */
  async get<T>(path: string): Promise<T> {
    const { status, text } = await this.request(path);
    if (status !== 200) throw new Error(`GET ${path} was answered ${status}: ${text.slice(0, 300)}`);
    return JSON.parse(text) as T;
  }

  /** Any request. Rejects when it is cut, or takes 20 s. */
  async request(path: string, init: RequestInit = {}): Promise<Answer> {
    const answer = await fetch(`${this.url}${path}`, {
      ...init,
      headers: { ...(init.headers as Record<string, string> | undefined), ...AUTHORIZATION },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return {
      status: answer.status,
      retryAfter: answer.headers.get('retry-after'),
      text: await answer.text(),
    };
  }

  private get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}
