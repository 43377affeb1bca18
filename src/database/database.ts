import type { Client, Pool, PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';

import { SECOND } from '../config/units.js';
import { reasonOf } from '../logging/error.text.js';
import { DatabaseTimeoutError, DatabaseUnavailableError } from './database.errors.js';
import type { PartitionStore } from './partition.store.js';
import { leaseOf, type ReadLease } from './read.lease.js';
import type { Migrated, SchemaMigrator } from './schema.migrator.js';
import { Turnstile } from '../concurrency/turnstile.js';

const FIRST_RETRY_MS = 0.25 * SECOND;
const LONGEST_RETRY_MS = 5 * SECOND;
/** Many times what the largest write takes. */
const WORK_LIMIT_MS = 60 * SECOND;
const READ_LIMIT_MS = 30 * SECOND;
/** How long a reader of a stream waits for its connection before it is sent away. */
const STREAM_WAIT_MS = 10 * SECOND;
/** What the database tells about its start. */
export interface DatabaseObserver {
  migrated(what: Migrated): void;
  /** Called once per outage message, not once per attempt. */
  openFailed(error: unknown): void;
  /** An idle connection was cut; the pool replaces it. */
  connectionLost(error: Error): void;
}

/**
 * The one pool of connections, shared by TypeORM and the hot path. Opens in the background when the database is
 * away at start, so that the service can answer probes and tell why it is not ready.
 */
export class Database {
  private readonly readers: Turnstile;
  private readonly streams: Turnstile;
  private pool: Pool | undefined;
  private opening: Promise<void> | undefined;
  private readonly closed = new AbortController();
  private lastFailure: unknown;
  /** Connections that somebody uses. */
  private readonly busy = new Set<Client>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly migrator: SchemaMigrator,
    private readonly partitions: PartitionStore,
    private readonly observer: DatabaseObserver,
    maxReaders: number,
  ) {
    this.readers = new Turnstile(maxReaders);
    this.streams = new Turnstile(Math.max(1, Math.floor(maxReaders / 2)));
  }

  /**
   * Tries once, awaited unless `signal` aborts: a server that hangs, or a lock on a table, may hold it up. When it fails
   * goes on trying in the background until close().
   */
  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    const first = this.tryOpen();
    this.opening = first.then((isOpen) => (isOpen ? undefined : this.keepTrying()));
    await Promise.race([first, new Promise((resolve) => signal?.addEventListener('abort', resolve))]);
  }

  /** True when the schema is migrated and the pool is there. It says nothing about the server's health now. */
  get isOpen(): boolean {
    return this.pool !== undefined;
  }

  /** Why it is not open; undefined when nothing failed. */
  get openFailure(): unknown {
    return this.isOpen ? undefined : this.lastFailure;
  }

  /** Resolves to true as soon as it is open, and to false when it is closed before. */
  async untilOpen(): Promise<boolean> {
    await this.opening;
    return this.isOpen;
  }

  /** Connections by state. */
  get connections(): { readonly total: number; readonly idle: number; readonly waiting: number } {
    const { totalCount = 0, idleCount = 0, waitingCount = 0 } = this.pool ?? {};
    return { total: totalCount, idle: idleCount, waiting: waitingCount };
  }

  /**
   * Runs `work` with a connection of its own, which is discarded instead of reused when the work fails.
   * @throws DatabaseTimeoutError when it takes longer than `limitMs`; what became of it is not known then
   */
  async withClient<T>(work: (client: PoolClient) => Promise<T>, limitMs = WORK_LIMIT_MS): Promise<T> {
    const client = await this.requirePool().connect();
    // A connection cut while nobody queries on it emits `error`; unheard, it would end the process.
    const ignore = () => undefined;
    client.on('error', ignore);
    let timer: NodeJS.Timeout | undefined;
    // A server that hangs, or a network that swallows everything, would keep a worker for ever.
    const expired = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new DatabaseTimeoutError(limitMs)), limitMs);
    });
    let failed = true;
    try {
      const result = await Promise.race([work(client), expired]);
      failed = false;
      return result;
    } finally {
      clearTimeout(timer);
      client.off('error', ignore);
      client.release(failed);
    }
  }

  /**
   * Runs `work`, which reads, with a connection of its own. Only so many at once that writers always find one; the
   * others wait.
   * @throws DatabaseTimeoutError when it takes longer than 30 s
   */
  async read<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    await this.readers.enter();
    try {
      return await this.withClient(work, READ_LIMIT_MS);
    } finally {
      this.readers.leave();
    }
  }

  /**
   * A connection for reading a stream, however long that takes; ended at once when `signal` aborts. Streams get half
   * of the readers' connections, so that slow ones leave the others to statements. Undefined when none became free
   * within 10 s.
   * @throws the signal's reason when it aborted before there was a connection
   */
  async lease(signal: AbortSignal): Promise<ReadLease | undefined> {
    if (!(await this.streams.enter(STREAM_WAIT_MS))) return undefined;
    await this.readers.enter();
    const leave = (): void => {
      this.readers.leave();
      this.streams.leave();
    };
    try {
      signal.throwIfAborted();
      const client = await this.requirePool().connect();
      if (signal.aborted) client.release();
      signal.throwIfAborted();
      return leaseOf(client, signal, leave);
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Ends the pool. Statements still running are cut off: a server that hangs would keep them for ever. */
  async close(): Promise<void> {
    this.closed.abort();
    await this.opening;
    this.pool = undefined;
    for (const client of this.busy) void client.end();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  private requirePool(): Pool {
    if (this.pool === undefined) throw new DatabaseUnavailableError(this.lastFailure);
    return this.pool;
  }

  private async tryOpen(): Promise<boolean> {
    try {
      const migrated = await this.migrator.migrate();
      await this.dataSource.initialize();
      const pool = (this.dataSource.driver as PostgresDriver).master as Pool;
      pool.on('error', (error: Error) => this.observer.connectionLost(error));
      // A pool's client is a Client; only its type hides `end`.
      pool.on('acquire', (client) => this.busy.add(client as Client & PoolClient));
      pool.on('release', (_error, client) => this.busy.delete(client as Client & PoolClient));
      const year = new Date().getUTCFullYear();
      // Ahead of the first bars. What stands in the way, as a partition that somebody detached, holds up its own year only:
      // the sink makes what is missing.
      await this.partitions.ensure([year, year + 1]).catch(() => undefined);
      this.pool = pool;
      this.lastFailure = undefined;
      this.observer.migrated(migrated);
      return true;
    } catch (error) {
      if (reasonOf(error) !== reasonOf(this.lastFailure)) this.observer.openFailed(error);
      this.lastFailure = error;
      if (this.dataSource.isInitialized) await this.dataSource.destroy();
      return false;
    }
  }

  private async keepTrying(): Promise<void> {
    let delay = FIRST_RETRY_MS;
    for (;;) {
      await this.pause(delay);
      if (this.isClosed() || (await this.tryOpen())) return;
      delay = Math.min(delay * 2, LONGEST_RETRY_MS);
    }
  }

  private isClosed(): boolean {
    return this.closed.signal.aborted;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.closed.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
