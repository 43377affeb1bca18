import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const PROGRAM = 'redis-server';

/** A real redis-server of a test's own, on loopback and without files. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** The process that runs now; another one after `start`. */
  readonly process: ChildProcess;
  /** Starts it again on the same port, after `kill`. */
  start(): Promise<void>;
  /** SIGKILL; a second call does nothing. */
  kill(): Promise<void>;
}

/** Settings of the server, in its own words. */
export interface TestRedisOptions {
  /** Asked of every client. */
  readonly password?: string;
}

/** Starts a redis-server on a free port and waits until it accepts connections. */
export async function startRedis({ password }: TestRedisOptions = {}): Promise<TestRedis> {
  const auth = password === undefined ? [] : ['--requirepass', password];
  const started = await spawnOnFreePort(auth);
  const { port } = started;
  let { child } = started;
  const isDown = () => child.exitCode !== null || child.signalCode !== null;
  return {
    port,
    url: `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`,
    get process() {
      return child;
    },
    start: async () => {
      if (isDown()) child = await withRetries(() => spawnRedis(port, auth));
    },
    kill: async () => {
      if (isDown()) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Another program may take the port between its choice and its use. */
function spawnOnFreePort(auth: readonly string[]): Promise<{ port: number; child: ChildProcess }> {
  return withRetries(async () => {
    const port = await freePort();
    return { port, child: await spawnRedis(port, auth) };
  });
}

async function withRetries<T>(start: () => Promise<T>): Promise<T> {
  for (let tries = 1; tries < 5; tries += 1) {
    try {
      return await start();
    } catch {
      await sleep(200);
    }
  }
  return await start();
}

async function spawnRedis(port: number, more: readonly string[]): Promise<ChildProcess> {
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child = spawn(PROGRAM, [...settings, ...more], {
    cwd: tmpdir(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  await new Promise<void>((ready, failed) => {
    child.once('error', failed);
    child.once('exit', (code) => failed(new Error(`${PROGRAM} ended with ${code}:\n${output}`)));
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Ready to accept connections')) ready();
    });
  });
  return child;
}
