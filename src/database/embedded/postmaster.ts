import { setTimeout as sleep } from 'node:timers/promises';

import { SECOND } from '../../config/units.js';
import type { Cluster } from './cluster.js';
import {
  patienceOf,
  PortTakenError,
  ServerStartError,
  StartCancelledError,
  StillInUseError,
} from './embedded.errors.js';
import { readPostmasterFile } from './postmaster.file.js';
import { serverArguments, tailOfLog } from './server.settings.js';
import { killServer } from './process.tree.js';
import { shutDown, shutdownWithin } from './shutdown.js';
import { type Program, spawnProgram } from './spawn.program.js';
import type { SystemUser } from './system.user.js';

const READY_POLL_MS = 20;
const PROGRESS_LOG_MS = 10 * SECOND;

/** What a server needs to start. */
export interface PostmasterOptions {
  /** Path of the program `postgres`. */
  readonly postgres: string;
  readonly cluster: Cluster;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly user: SystemUser | undefined;
  readonly log: (message: string) => void;
}

/** One server process, from its start to its end. */
export class Postmaster {
  /** Resolves when the process has ended, with how. */
  readonly exited: Promise<string>;
  private ended = false;
  private stopping: Promise<void> | undefined;

  private constructor(private readonly program: Program) {
    // The last resort when the service ends without stopping its database: an uncaught error, process.exit.
    const onExit = (): void => program.kill('SIGINT');
    process.once('exit', onExit);
    this.exited = program.exited.finally(() => {
      this.ended = true;
      process.off('exit', onExit);
    });
  }

  /** Process id. */
  get pid(): number {
    return this.program.pid;
  }

  /**
   * Starts the server and waits until it takes connections, however long it has to recover after a crash.
   * @throws PortTakenError when another process listens on the port.
   * @throws ServerStartError when it ends instead, with what it said.
   * @throws StartCancelledError when `signal` aborts; then it has been stopped.
   */
  static async launch(options: PostmasterOptions, signal: AbortSignal): Promise<Postmaster> {
    const { cluster, postgres, user } = options;
    const args = serverArguments(options);
    const postmaster = new Postmaster(
      await spawnProgram(postgres, args, { cwd: cluster.dataDirectory, user }),
    );
    await postmaster.untilReady(options, signal);
    if (!signal.aborted) return postmaster;
    await postmaster.stop(patienceOf(signal));
    throw new StartCancelledError();
  }

  /**
   * Ends the server: SIGINT, then SIGQUIT, then SIGKILL to all its processes. Resolves also when it has already ended.
   * @param patienceMs milliseconds in which all steps are gone through, when they are fewer than usual
   */
  stop(patienceMs?: number): Promise<void> {
    return (this.stopping ??= this.end(patienceMs));
  }

  private async end(patienceMs: number | undefined): Promise<void> {
    const ended = await shutDown(
      async (signal) => {
        if (signal !== 'SIGKILL') this.program.kill(signal);
        else if (!this.ended) await killServer(this.pid);
      },
      async (ms) => {
        const timer = new AbortController();
        await Promise.race([
          this.exited,
          sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined),
        ]);
        timer.abort();
        return this.ended;
      },
      shutdownWithin(patienceMs),
    );
    if (!ended) throw new ServerStartError(`PostgreSQL (process ${this.pid}) does not end`);
  }

  private async untilReady({ cluster, port, log }: PostmasterOptions, signal: AbortSignal): Promise<void> {
    let nextLog = performance.now() + PROGRESS_LOG_MS;
    while (!signal.aborted) {
      if (this.ended) {
        const how = await this.exited;
        throw startError(how, `${this.program.output()}\n${await tailOfLog(cluster.dataDirectory)}`, port);
      }
      const file = await readPostmasterFile(cluster.dataDirectory);
      if (file?.pid === this.pid && file.status === 'ready') return;
      if (performance.now() > nextLog) {
        nextLog += PROGRESS_LOG_MS;
        log('PostgreSQL is still starting: after a crash it first reads its write-ahead log');
      }
      await sleep(READY_POLL_MS);
    }
  }
}

function startError(how: string, said: string, port: number): ServerStartError {
  if (/could not bind .*: Address already in use/.test(said)) {
    return new PortTakenError(`PostgreSQL could not listen on port ${port}: another process does`);
  }
  if (/shared memory block .* is still in use/.test(said)) {
    return new StillInUseError('processes of an earlier PostgreSQL on this database have not ended yet');
  }
  return new ServerStartError(`PostgreSQL did not start (${how}): ${said.trim()}`);
}
