import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Tokens of a service under test. */
export const TOKENS = {
  admin: 'test-admin-token-0001',
  ingest: 'test-ingest-token-001',
  read: 'test-read-token-00001',
  feedback: 'test-feedback-token-1',
};

const READY = /API +(http:\/\/\S+)\/v1\/bars/;

/** The service as a process of its own, built and started as a user would. */
export interface TestService {
  /** Such as http://127.0.0.1:43210. */
  readonly url: string;
  readonly process: ChildProcess;
  /** Everything it wrote to stdout and stderr so far. */
  output(): string;
  /** A request with the admin token unless the headers say otherwise. */
  fetch(path: string, init?: TestRequest): Promise<Response>;
  /** Posts a body of bars, asks for their commit unless the query says otherwise, and gives the parsed answer. */
  post(
    body: string | Uint8Array,
    type?: string,
    query?: string,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** What a test may say of a request. */
export interface TestRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

/** An answer with its body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, unknown> & { errors?: Record<string, unknown>[]; code?: string };
}

/** Starts `node dist/src/main.js` on a free port and waits until it serves. `openFiles` is its `ulimit -n`. */
export async function startService(
  env: Record<string, string | undefined>,
  openFiles?: number,
): Promise<TestService> {
  const child = spawnService(env, openFiles);
  let output = '';
  const collect = (chunk: Buffer) => (output += chunk.toString());
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const url = await new Promise<string>((ready, failed) => {
    const timer = setTimeout(() => {
      // Left alone it would keep Jest from ending.
      child.kill('SIGKILL');
      failed(new Error(`the service did not start in 60 s:\n${output}`));
    }, 60_000);
    child.stdout?.on('data', () => {
      const base = READY.exec(output)?.[1];
      if (base === undefined) return;
      clearTimeout(timer);
      ready(base);
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      failed(new Error(`the service ended with ${code}:\n${output}`));
    });
  });
  const request: TestService['fetch'] = (path, init = {}) =>
    fetch(`${url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${TOKENS.admin}`, ...init.headers },
    });
  return {
    url,
    process: child,
    output: () => output,
    fetch: request,
    post: async (body, type = 'application/x-ndjson', query = '', headers = {}) => {
      const answer = await request(`/v1/bars${withAck(query)}`, {
        method: 'POST',
        body,
        headers: { 'content-type': type, ...headers },
      });
      return {
        status: answer.status,
        headers: answer.headers,
        json: (await answer.json()) as Answer['json'],
      };
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
      return child.exitCode;
    },
    kill: async () => {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

/** A service of which nobody waits that it serves. */
export interface LaunchedService {
  readonly process: ChildProcess;
  output(): string;
  /** Its exit code, when it has ended. */
  readonly ended: Promise<number | null>;
}

/** Starts the service and does not wait. */
export function launchService(env: Record<string, string | undefined>): LaunchedService {
  const child = spawnService(env);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { process: child, output: () => output, ended: once(child, 'close').then(() => child.exitCode) };
}

/** Starts the service where it is expected to refuse, and gives its exit code and output. */
export async function runService(
  env: Record<string, string | undefined>,
): Promise<{ code: number | null; output: string }> {
  const service = launchService(env);
  const code = await service.ended;
  return { code, output: service.output() };
}

/** What was posted can be read at once. */
function withAck(query: string): string {
  if (query.includes('ack=')) return query;
  return query === '' ? '?ack=stored' : `${query}&ack=stored`;
}

function spawnService(env: Record<string, string | undefined>, openFiles?: number): ChildProcess {
  const inherited = { PATH: process.env['PATH'], HOME: process.env['HOME'] };
  // Nobody else may have a service's directory; one that the test does not name goes with the process.
  const own = env['MDS_DATA_DIR'] === undefined ? mkdtempSync(join(tmpdir(), 'mds-')) : undefined;
  const command = [process.execPath, resolve('dist/src/main.js')];
  const limited = `${openFiles === undefined ? '' : `ulimit -n ${openFiles}; `}exec "$0" "$@"`;
  const child = spawn('sh', ['-c', limited, ...command], {
    // Not the project's folder: a developer's .env must not reach a test.
    cwd: tmpdir(),
    env: {
      ...inherited,
      APP_HOST: '127.0.0.1',
      APP_PORT: '0',
      ADMIN_TOKEN: TOKENS.admin,
      INGEST_TOKEN: TOKENS.ingest,
      READ_TOKEN: TOKENS.read,
      FEEDBACK_TOKEN: TOKENS.feedback,
      MDS_DATA_DIR: own,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (own !== undefined) child.once('exit', () => rmSync(own, { recursive: true, force: true }));
  return child;
}
