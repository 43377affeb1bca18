import { setTimeout as sleep } from 'node:timers/promises';

import { DataDirectoryLock } from '../../config/data-directory.lock.js';
import { SECOND } from '../../config/units.js';
import { findBinaries } from './binaries.js';
import { openCluster } from './cluster.js';
import { patienceOf, StartCancelledError, StillInUseError } from './embedded.errors.js';
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
  /** Ends the server, within so many milliseconds when they are given, and gives everything back. */
  readonly end: (patienceMs?: number) => Promise<void>;
}

type Releaser = (patienceMs: number | undefined) => Promise<void>;

/**
 * Brings a server up. Takes one thing after another; when one fails, or `signal` aborts, gives back what it took,
 * last first.
 */
export async function openSession(
  { directory, log, settings = {}, preferredPort = 54329 }: EmbeddedPostgresOptions,
  signal: AbortSignal,
): Promise<ServerSession> {
  const releasers: Releaser[] = [];
  const end = (patienceMs?: number): Promise<void> => releaseAll(releasers, patienceMs);
  const goOn = (): void => {
    if (signal.aborted) throw new StartCancelledError();
  };
  try {
    const binaries = findBinaries();
    const placement = await placeCluster(directory, log);
    // Its own lock, though the service holds one: a copied data directory has a link to the same home. Whose it is does
    // not matter: root goes on with the database of the user who ran the service before.
    const lock = await DataDirectoryLock.take(placement.home);
    releasers.push(() => lock.release());
    await removeRunningUrl(directory);
    const { postgres, initdb } = await installRuntime(binaries, placement.home);
    goOn();
    const cluster = await openCluster(placement, { postgres, initdb }, binaries.major, signal);
    goOn();
    const launchOn = async (port: number, abort: AbortSignal): Promise<Postmaster> => {
      await clearTheWay(cluster.dataDirectory, log, abort);
      return Postmaster.launch({ postgres, cluster, port, settings, user: placement.user, log }, abort);
    };
    const { first, port } = await onFreePort(preferredPort, async (candidate) => ({
      port: candidate,
      first: await onceUnused(() => launchOn(candidate, signal), signal),
    }));
    const supervisor = new Supervisor(first, (abort) => launchOn(port, abort), log);
    releasers.push((patienceMs) => supervisor.stop(patienceMs));
    // A server that is suspended meanwhile answers nothing; the connection breaks when it is killed.
    await unlessAborted(ensureDatabase(cluster, port), signal);
    const url = urlOf(cluster, port);
    releasers.push(() => removeRunningUrl(directory));
    await writeRunningUrl(directory, url);
    goOn();
    log(`PostgreSQL ${binaries.major} runs on 127.0.0.1:${port}, its files are in ${placement.home}`);
    return { url, pid: () => supervisor.pid, end };
  } catch (error) {
    await end(patienceOf(signal));
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

async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new StartCancelledError()));
  });
  await Promise.race([work, aborted]);
}

/** Runs every releaser, the last first, though one fails; then rejects with the first failure. */
async function releaseAll(releasers: Releaser[], patienceMs: number | undefined): Promise<void> {
  const failures: unknown[] = [];
  for (let release = releasers.pop(); release !== undefined; release = releasers.pop()) {
    await release(patienceMs).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
