import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { SECOND } from '../../config/units.js';
import { ServerStartError } from './embedded.errors.js';
import { postmasterFilePath, readPostmasterFile } from './postmaster.file.js';
import { isPostgresOn } from './process.identity.js';
import { shutDown, type ShutdownStep } from './shutdown.js';

const POLL_MS = 20;

/** Less patient than an ordinary stop: a service that was killed should serve again within 10 s. */
const STEPS: readonly ShutdownStep[] = [
  { signal: 'SIGINT', patienceMs: 4 * SECOND },
  { signal: 'SIGQUIT', patienceMs: 6 * SECOND },
  { signal: 'SIGKILL', patienceMs: 5 * SECOND },
];

/**
 * Ends the server that a killed service left running on this data directory, and removes a `postmaster.pid` that
 * would keep a new one from starting. Signals no process that is not a PostgreSQL on this directory.
 */
export async function clearTheWay(dataDirectory: string, log: (message: string) => void): Promise<void> {
  const left = await readPostmasterFile(dataDirectory);
  if (left === undefined) {
    // PostgreSQL would refuse to start beside a file that a full disk or a power cut left empty.
    await rm(postmasterFilePath(dataDirectory), { force: true });
  } else if (await isPostgresOn(left.pid, dataDirectory)) {
    log(`PostgreSQL (process ${left.pid}) was left running by an earlier service; it is stopped first`);
    await endOrphan(left.pid, dataDirectory);
  } else if (isAlive(left.pid)) {
    // PostgreSQL looks only whether a process has this number, and would refuse to start for as long as it lives.
    log(`postmaster.pid is stale: process ${left.pid} is not this PostgreSQL`);
    await rm(postmasterFilePath(dataDirectory), { force: true });
  }
}

async function endOrphan(pid: number, dataDirectory: string): Promise<void> {
  const ended = await shutDown(
    (signal) => sendTo(pid, signal),
    async (ms) => {
      const deadline = performance.now() + ms;
      while (await isPostgresOn(pid, dataDirectory)) {
        if (performance.now() > deadline) return false;
        await sleep(POLL_MS);
      }
      return true;
    },
    STEPS,
  );
  if (!ended) {
    throw new ServerStartError(`PostgreSQL (process ${pid}), left by an earlier service, does not end`);
  }
}

function sendTo(pid: number, signal: ShutdownStep['signal']): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
