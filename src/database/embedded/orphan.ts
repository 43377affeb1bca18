import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { SECOND } from '../../config/units.js';
import { ServerStartError, StartCancelledError } from './embedded.errors.js';
import { postmasterFilePath, readPostmasterFile } from './postmaster.file.js';
import { isPostgresOn } from './process.identity.js';
import { killServer, send } from './process.tree.js';
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
 * @throws StartCancelledError when `signal` aborts; the server that was left has been asked to end by then.
 */
export async function clearTheWay(
  dataDirectory: string,
  log: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const left = await readPostmasterFile(dataDirectory);
  if (left === undefined) {
    // PostgreSQL would refuse to start beside a file that a full disk or a power cut left empty.
    await rm(postmasterFilePath(dataDirectory), { force: true });
  } else if (await isPostgresOn(left.pid, dataDirectory)) {
    log(`PostgreSQL (process ${left.pid}) was left running by an earlier service; it is stopped first`);
    await endOrphan(left.pid, dataDirectory, signal);
  } else if (isAlive(left.pid)) {
    // PostgreSQL looks only whether a process has this number, and would refuse to start for as long as it lives.
    log(`postmaster.pid is stale: process ${left.pid} is not this PostgreSQL`);
    await rm(postmasterFilePath(dataDirectory), { force: true });
  }
}

async function endOrphan(pid: number, dataDirectory: string, abort: AbortSignal): Promise<void> {
  const ended = await shutDown(
    (signal) => (signal === 'SIGKILL' ? killServer(pid) : send(pid, signal)),
    async (ms) => {
      const deadline = performance.now() + ms;
      while (await isPostgresOn(pid, dataDirectory)) {
        if (abort.aborted) throw new StartCancelledError();
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
  // One that was killed leaves it, and may be a zombie for a while: a new server would take that for a live one. What
  // guards against processes that still use the cluster is its shared memory, not this file.
  await rm(postmasterFilePath(dataDirectory), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
