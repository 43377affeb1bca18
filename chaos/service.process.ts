import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const READY = /API +(http:\/\/\S+)\/v1\/bars/;
const START_MS = 60_000;
const ANSWER_MS = 20_000;
const TOKEN = 'chaos-admin-token-0001';

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
      child.once('exit', (code) => reject(new Error(`the service ended with ${code}:\n${output}`)));
    }).finally(() => clearTimeout(timer));
    return new ServiceProcess(child, url);
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

  /** Posts NDJSON. @returns the status */
  async post(body: string, query = ''): Promise<number> {
    const answer = await this.fetch(`/v1/bars${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
    });
    await answer.arrayBuffer();
    return answer.status;
  }

  /** GET of a JSON document. */
  async get<T>(path: string): Promise<T> {
    return (await (await this.fetch(path)).json()) as T;
  }

  private async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = {
      ...(init.headers as Record<string, string> | undefined),
      authorization: `Bearer ${TOKEN}`,
    };
    return await fetch(`${this.url}${path}`, { ...init, headers, signal: AbortSignal.timeout(ANSWER_MS) });
  }

  private get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}
