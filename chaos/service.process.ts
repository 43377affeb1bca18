import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const READY = /API +(http:\/\/\S+)\/v1\/bars/;
/** Patience with a machine that is busy with other things. */
const START_MS = 180_000;
const STOP_MS = 60_000;
/** The service promises an answer within 15 s. */
const ANSWER_MS = 60_000;
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

/**
 * Why there is no answer. `never`: the request cannot have come to the service. `cut`: its connection ended. `late`: it
 * was given up, and the service may still take it.
 */
export type NoAnswer = 'never' | 'cut' | 'late';

/** GET /v1/coordinator, as far as it is looked at here. */
export interface CoordinatorState {
  readonly rows: {
    readonly accepted: number;
    readonly committed: number;
    readonly spooled: number;
    readonly dead_lettered: number;
    readonly residual: number;
    /** Rows that are known to be there and could not be read yet; not in every version. */
    readonly unread?: number;
  };
  readonly isolation: { readonly rows: number };
  readonly spool: { readonly bytes: number; readonly oldest_age_seconds: number };
  readonly dlq_records: number;
}

/** The service as a process that may die at any time. */
export class ServiceProcess {
  private address: string | undefined;
  private isKilled = false;
  private isStopping = false;
  private readonly listening: Promise<void>;
  private readonly gone: Promise<unknown>;

  private constructor(
    private readonly child: ChildProcess,
    log: WriteStream | undefined,
  ) {
    const lastResort = (): void => void child.kill('SIGKILL');
    process.once('exit', lastResort);
    this.gone = once(child, 'close').then(() => {
      process.off('exit', lastResort);
      log?.end(`--- ended with ${child.exitCode ?? child.signalCode}\n`);
    });
    this.listening = this.hearAddress(log);
    // It may be killed before anybody waits for it to listen.
    this.listening.catch(() => undefined);
  }

  /**
   * Begins to start it.
   * @param logPath where its output goes, behind what is there
   * @param program the main file of another build
   */
  static launch(env: Readonly<Record<string, string>>, logPath?: string, program = MAIN): ServiceProcess {
    const child = spawn(process.execPath, [program], {
      env: { PATH: process.env['PATH'], APP_HOST: '127.0.0.1', APP_PORT: '0', ADMIN_TOKEN: TOKEN, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A signal that a terminal sends to all is for the harness, which ends the services in its order.
      detached: true,
    });
    const log = logPath === undefined ? undefined : createWriteStream(logPath, { flags: 'a' });
    log?.write(`--- ${new Date().toISOString()} process ${child.pid}\n`);
    return new ServiceProcess(child, log);
  }

  /** Starts it and waits until it listens. */
  static async start(env: Readonly<Record<string, string>>, logPath?: string): Promise<ServiceProcess> {
    const service = ServiceProcess.launch(env, logPath);
    await service.untilListening();
    return service;
  }

  /** Resolves when it listens. @throws when it ends instead, with what it said */
  async untilListening(): Promise<void> {
    await this.listening;
  }

  /** @throws when it does not listen yet */
  get url(): string {
    if (this.address === undefined) throw new Error('the service does not listen yet');
    return this.address;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** False from the moment on at which its port may be anybody's. */
  get isReachable(): boolean {
    return this.address !== undefined && !this.isKilled && !this.isGone;
  }

  /** Whether a balancer hands it new connections: not from the moment on at which it was told to end. */
  get takesConnections(): boolean {
    return this.isReachable && !this.isStopping;
  }

  get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Bytes of memory that it has now. */
  async memory(): Promise<number> {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(this.pid)]);
    return Number(stdout) * 1024;
  }

  /** Sends it a signal. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.isKilled = true;
    this.child.kill('SIGKILL');
    await this.gone;
  }

  /** Asks it to end. @returns its exit code; null when it had to be killed */
  async stop(): Promise<number | null> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    this.isStopping = true;
    this.child.kill('SIGTERM');
    await this.gone;
    clearTimeout(timer);
    return this.child.exitCode;
  }

  /** Posts bars. @returns why there is no answer, when there is none */
  async tryPost(body: string, query = '', type = 'application/x-ndjson'): Promise<Answer | NoAnswer> {
    if (!this.isReachable) return 'never';
    try {
      return await this.post(body, query, type);
    } catch (error) {
      return whyNoAnswer(error);
    }
  }

  /** Posts bars. Rejects when there is no answer. */
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

  /** Any request. Rejects when it is cut, or takes 60 s. */
  async request(path: string, init: RequestInit = {}): Promise<Answer> {
    const answer = await this.fetch(path, init);
    return {
      status: answer.status,
      retryAfter: answer.headers.get('retry-after'),
      text: await answer.text(),
    };
  }

  /** The lines of an answer, as they come. */
  async *lines(path: string): AsyncGenerator<string> {
    const { status, body } = await this.fetch(path, {}, 10 * ANSWER_MS);
    if (status !== 200 || !body) throw new Error(`GET ${path} was answered ${status}`);
    let rest = '';
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
    if (rest !== '') throw new Error(`GET ${path} was cut`);
  }

  private async fetch(path: string, init: RequestInit, withinMs = ANSWER_MS): Promise<Response> {
    return await fetch(`${this.url}${path}`, {
      ...init,
      headers: { ...(init.headers as Record<string, string> | undefined), ...AUTHORIZATION },
      signal: AbortSignal.timeout(withinMs),
    });
  }

  private async hearAddress(log: WriteStream | undefined): Promise<void> {
    const { child } = this;
    let output = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        const read = (chunk: Buffer): void => {
          log?.write(chunk);
          if (this.address !== undefined) return;
          output = (output + chunk.toString()).slice(-10_000);
          this.address = READY.exec(output)?.[1];
          if (this.address !== undefined) resolve();
        };
        child.stdout?.on('data', read);
        child.stderr?.on('data', read);
        child.once('close', (code, signal) =>
          reject(new Error(`the service ended with ${code ?? signal} before it served:\n${output}`)),
        );
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

function whyNoAnswer(error: unknown): NoAnswer {
  const { name, cause } = error as { name?: unknown; cause?: { code?: unknown } };
  if (name === 'TimeoutError') return 'late';
  return cause?.code === 'ECONNREFUSED' ? 'never' : 'cut';
}
