import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

import { SECOND } from '../../config/units.js';
import { ServerStartError } from './embedded.errors.js';
import type { SystemUser } from './system.user.js';

const MAX_OUTPUT_CHARS = 8_000;
const OUTPUT_GRACE_MS = 1 * SECOND;

/** One of PostgreSQL's programs, running. */
export interface Program {
  readonly pid: number;
  /** Resolves when the process has ended, with how: `exit code 1` or `signal SIGKILL`. */
  readonly exited: Promise<string>;
  /** The end of what it wrote to its standard error so far. */
  output(): string;
  /** Sends a signal to the process; nothing when it has ended. */
  kill(signal: NodeJS.Signals): void;
  /** Sends a signal to the process and all it started; nothing when it has ended. */
  killGroup(signal: NodeJS.Signals): void;
}

/**
 * Starts a program in a session of its own: Ctrl-C on the terminal goes to the service alone, which must drain
 * into a database that still runs.
 * @throws ServerStartError when it cannot be executed.
 */
export async function spawnProgram(
  file: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly user: SystemUser | undefined },
): Promise<Program> {
  const child = spawn(file, args, {
    cwd: options.cwd,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    // Nothing of ours: a PGPORT or LD_LIBRARY_PATH of the caller must not reach the server.
    env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    ...(options.user && { uid: options.user.uid, gid: options.user.gid }),
  });
  let output = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (chunk: string) => (output = (output + chunk).slice(-MAX_OUTPUT_CHARS)));
  const exited = exitOf(child);
  const pid = await pidOf(child, file);
  return {
    pid,
    exited,
    output: () => output.trim(),
    kill: (signal) => void child.kill(signal),
    killGroup: (signal) => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-pid, signal);
    },
  };
}

function pidOf(child: ChildProcessByStdio<null, null, Readable>, file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid ?? 0));
    child.once('error', (cause) =>
      reject(new ServerStartError(`cannot execute ${file}: ${cause.message}`, { cause })),
    );
  });
}

function exitOf(child: ChildProcessByStdio<null, null, Readable>): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const finish = (): void =>
        resolve(signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`);
      // `close` comes when all it wrote has been read, but a process that it started may hold that open for long.
      const timer = setTimeout(finish, OUTPUT_GRACE_MS);
      child.once('close', () => {
        clearTimeout(timer);
        finish();
      });
    });
  });
}
