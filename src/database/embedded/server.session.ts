import { setTimeout as sleep } from 'node:timers/promises';

import { DataDirectory } from '../../config/data-directory.js';
import { SECOND } from '../../config/units.js';
import { findBinaries } from './binaries.js';
import { openCluster } from './cluster.js';
import { StartCancelledError, StillInUseError } from './embedded.errors.js';
import { onFreePort } from './free.port.js';
import { ensureDatabase, urlOf } from './market.database.js';
import { clearTheWay } from './orphan.js';
import { placeCluster } from './placement.js';
import { Postmaster } from './postmaster.js';
import { removeRunningUrl, writeRunningUrl } from './running.url.js';
import { installRuntime } from './runtime.js';
import { Supervisor } from './supervisor.js';

const STILL_IN_USE_PAUSE_MS = 0.2 * SECOND;
const STILL_IN_USE_PATIENCE_MS = 30 * SECOND;

/** How to run the embedded PostgreSQL. */
export interface EmbeddedPostgresOptions {
  /** Directory of the database, made when it is absent. */
  readonly directory: string;
  /** Takes one line for the operator, never with a secret. */
  readonly log: (message: string) => void;
  /** More of PostgreSQL's settings, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Port used when it is free; default 54329. */
  readonly preferredPort?: number;
}

/** A server that runs, and all that was taken for it. */
export interface ServerSession {
  readonly url: string;
  readonly pid: () => number | undefined;
  /** Ends the server and gives everything back. */
  readonly end: () => Promise<void>;
}

/**
 * Brings a server up. Takes one thing after another; when one fails, or `signal` aborts, gives back what it took,
 * last first.
 */
export async function openSession(
  { directory, log, settings = {}, preferredPort = 54329 }: EmbeddedPostgresOptions,
  signal: AbortSignal,
): Promise<ServerSession> {
  const releasers: (() => Promise<void>)[] = [];
  const end = (): Promise<void> => releaseAll(releasers);
  const goOn = (): void => {
    if (signal.aborted) throw new StartCancelledError();
  };
  try {
    const binaries = findBinaries();
    const placement = await placeCluster(directory, log);
    // Its own lock, though the service holds one: a copied data directory has a link to the same home.
    const lock = await DataDirectory.acquire(placement.home);
    releasers.push(() => lock.release());
    await removeRunningUrl(directory);
    const { postgres, initdb } = await installRuntime(binaries, placement.home);
    goOn();
    const cluster = await openCluster(placement, { postgres, initdb }, binaries.major, signal);
    goOn();
    const launchOn = async (port: number, abort: AbortSignal): Promise<Postmaster> => {
      await clearTheWay(cluster.dataDirectory, log);
      return Postmaster.launch({ postgres, cluster, port, settings, user: placement.user, log }, abort);
    };
    const { first, port } = await onFreePort(preferredPort, async (candidate) => ({
      port: candidate,
      first: await onceUnused(() => launchOn(candidate, signal), signal),
    }));
    const supervisor = new Supervisor(first, (abort) => launchOn(port, abort), log);
    releasers.push(() => supervisor.stop());
    await ensureDatabase(cluster, port);
    const url = urlOf(cluster, port);
    releasers.push(() => removeRunningUrl(directory));
    await writeRunningUrl(directory, url);
    goOn();
    log(`PostgreSQL ${binaries.major} runs on 127.0.0.1:${port}, its files are in ${placement.home}`);
    return { url, pid: () => supervisor.pid, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Repeats `launch` while processes of a killed server finish what they were doing. */
async function onceUnused<T>(launch: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const deadline = performance.now() + STILL_IN_USE_PATIENCE_MS;
  for (;;) {
    try {
      return await launch();
    } catch (error) {
      if (!(error instanceof StillInUseError) || performance.now() > deadline || signal.aborted) throw error;
      await sleep(STILL_IN_USE_PAUSE_MS);
    }
  }
}

/** Runs every releaser, the last first, though one fails; then rejects with the first failure. */
async function releaseAll(releasers: (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (let release = releasers.pop(); release !== undefined; release = releasers.pop()) {
    await release().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
