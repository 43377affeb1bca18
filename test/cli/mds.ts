import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

/** What a run of the command line said and ended with. */
export interface MdsRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the built `mds`, as a user would, away from the project's folder and its .env. */
export function spawnMds(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [resolve('dist/src/cli/main.js'), ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs it to its end. */
export async function mds(args: readonly string[], env?: Record<string, string>): Promise<MdsRun> {
  const child = spawnMds(args, env);
  const out = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (out.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (out.stderr += chunk.toString()));
  await once(child, 'close');
  return { code: child.exitCode, ...out };
}
