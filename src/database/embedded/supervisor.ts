import { setTimeout as sleep } from 'node:timers/promises';

import { SECOND } from '../../config/units.js';
import { StartCancelledError } from './embedded.errors.js';
import type { Postmaster } from './postmaster.js';

const MIN_BACKOFF_MS = 0.1 * SECOND;
const MAX_BACKOFF_MS = 10 * SECOND;
/** A server that lived this long is sound: its next death begins with the shortest backoff again. */
const SOUND_AFTER_MS = 30 * SECOND;

/** Starts the server again whenever it ends without being asked to. */
export class Supervisor {
  private server: Postmaster | undefined;
  private readonly stopping = new AbortController();
  private readonly watching: Promise<void>;

  /** @param launch starts another server in the place of the first, on the same port */
  constructor(
    first: Postmaster,
    private readonly launch: (signal: AbortSignal) => Promise<Postmaster>,
    private readonly log: (message: string) => void,
  ) {
    this.server = first;
    this.watching = this.watch(first);
  }

  /** Process id of the server; undefined while there is none. */
  get pid(): number | undefined {
    return this.server?.pid;
  }

  /** Ends the server, within so many milliseconds when they are given, and the watch over it. */
  async stop(patienceMs?: number): Promise<void> {
    this.stopping.abort(new StartCancelledError(patienceMs));
    await this.server?.stop(patienceMs);
    await this.watching;
  }

  private async watch(first: Postmaster): Promise<void> {
    let backoffMs = MIN_BACKOFF_MS;
    for (let server: Postmaster | undefined = first; server !== undefined;) {
      const startedAt = performance.now();
      const how = await server.exited;
      this.server = undefined;
      if (this.stopping.signal.aborted) return;
      this.log(`PostgreSQL (process ${server.pid}) ended unexpectedly with ${how}; it is started again`);
      if (performance.now() - startedAt > SOUND_AFTER_MS) backoffMs = MIN_BACKOFF_MS;
      server = undefined;
      while (server === undefined && (await this.pause(backoffMs))) {
        backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
        server = await this.tryLaunch();
      }
      this.server = server;
    }
  }

  /** Resolves false when it was cut short because the watch ends. */
  private async pause(ms: number): Promise<boolean> {
    const { signal } = this.stopping;
    await sleep(ms, undefined, { signal }).catch(() => undefined);
    return !signal.aborted;
  }

  private async tryLaunch(): Promise<Postmaster | undefined> {
    try {
      const server = await this.launch(this.stopping.signal);
      this.log(`PostgreSQL runs again (process ${server.pid})`);
      return server;
    } catch (error) {
      if (!this.stopping.signal.aborted) this.log((error as Error).message);
      return undefined;
    }
  }
}
