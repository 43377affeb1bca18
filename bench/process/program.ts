import { type ChildProcess, spawn, spawnSync, type SpawnOptions } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MS = 60_000;
const POLL_MS = 50;
const OUTPUT_KEPT = 10_000;

/** Path of a program on the PATH; undefined when it is not there. */
export function findProgram(name: string): string | undefined {
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, name));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Version of an installed Debian package; undefined where there is none, or no dpkg. */
export function packageVersion(name: string): string | undefined {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Version}', name], { encoding: 'utf8' });
  return status === 0 ? stdout : undefined;
}

/** A program under way and the end of what it said. */
export interface RunningProgram {
  readonly child: ChildProcess;
  readonly output: () => string;
}

/** Starts a program; its output is read so that it never waits for us. */
export function startProgram(
  path: string,
  args: readonly string[],
  options: SpawnOptions = {},
): RunningProgram {
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  const read = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-OUTPUT_KEPT));
  child.stdout?.on('data', read);
  child.stderr?.on('data', read);
  child.on('error', (error) => (output += error.message));
  // The last resort when this process ends without cleaning up.
  const onExit = (): void => void child.kill('SIGTERM');
  process.once('exit', onExit);
  child.once('exit', () => process.off('exit', onExit));
  return { child, output: () => output };
}

/** Waits until `ready` resolves to something. @throws when the program ends instead, with what it said */
export async function untilReady<T>(
  { child, output }: RunningProgram,
  ready: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    const found = await ready();
    if (found !== undefined) return found;
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
      throw new Error(`${child.spawnfile} did not start:\n${output()}`);
    }
    await sleep(POLL_MS);
  }
}

/** Whether GET of the URL is answered well. */
export async function answers(url: string): Promise<true | undefined> {
  try {
    return (await fetch(url)).ok || undefined;
  } catch {
    return undefined;
  }
}
