import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from 'pg';

import { SECOND } from '../../config/units.js';
import { lookUpFailure, sqlstateOf } from '../../coordinator/failure.table.js';
import { ADVISORY_LOCK } from '../../database/advisory.locks.js';
import { CONNECT_LIMIT_MS } from '../../database/connect.limit.js';
import type { PartitionStore } from '../../database/partition.store.js';
import { SeriesStore } from '../series.store.js';
import type { SymbolCase } from '../symbol.case.js';
import { LegacyCopy, type LegacyProgress } from './legacy.copy.js';

/** Rows of a transaction: as many as a write of bars has. A writer of the very same bars waits for it. */
const PAGE_ROWS = 20_000;
const FEWER = 10;
/** Of a row that seems to lose a race with other writers, until it is left. */
const MOST_TRIES = 5;
const AGAIN_MS = 5 * SECOND;
const TELL_EVERY_MS = 10 * SECOND;
/** Of a statement: the first one lists the series of the whole table. */
const STATEMENT_LIMIT_MS = 3_600 * SECOND;
/** How long the copy rests after a page, in times that the page took; the second while bars queue up. */
const REST = 1;
const REST_UNDER_LOAD = 9;

/** What a LegacyCopier reports. */
export interface LegacyObserver {
  /** Each time that it is looked at, also while another replica copies. */
  counted(progress: LegacyProgress): void;
  /** For people: at the beginning, now and then, and at the end. `rowsPerSecond`: of late. */
  told(progress: LegacyProgress, rowsPerSecond?: number): void;
  /** It is tried again. */
  failed(error: unknown): void;
}

/** Settings of a LegacyCopier. */
export interface LegacyCopierOptions {
  readonly adminUrl: string;
  readonly partitions: PartitionStore;
  readonly symbolCase: SymbolCase;
  /** Whether bars queue up, which then go first. */
  readonly isBusy: () => boolean;
  readonly observe: LegacyObserver;
  /** Milliseconds from one try to the next; default 5,000. */
  readonly againMs?: number;
}

/**
 * Copies the rows of an earlier release's table in the background, one replica at a time, slowly enough that bars that
 * come meanwhile are written as ever.
 */
export class LegacyCopier {
  constructor(private readonly options: LegacyCopierOptions) {}

  /** Resolves when all is copied, when there is nothing to copy, or when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { observe, againMs = AGAIN_MS } = this.options;
    while (!signal.aborted) {
      const isDone = await this.runOnce(signal).catch((error: unknown) => {
        // A connection that we ended ourselves fails too.
        if (!signal.aborted) observe.failed(error);
        return false;
      });
      if (isDone) return;
      await sleep(againMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @returns whether all is done; false when another replica copies */
  private async runOnce(signal: AbortSignal): Promise<boolean> {
    const clients = [this.newClient(), this.newClient()] as const;
    // What the server is doing then is rolled back.
    const abort = (): void => clients.forEach((client) => void client.end().catch(() => undefined));
    signal.addEventListener('abort', abort);
    try {
      const [lock, worker] = clients;
      await worker.connect();
      const { partitions, symbolCase } = this.options;
      const copy = new LegacyCopy(worker, partitions, new SeriesStore(), symbolCase);
      const before = await this.count(copy);
      if (before === undefined || before.completed) {
        if (before) this.options.observe.told(before);
        return true;
      }
      await lock.connect();
      // In a transaction: a lock of the session would outlive us behind a pooler.
      await lock.query('BEGIN');
      await lock.query('SET LOCAL idle_in_transaction_session_timeout = 0');
      const { rows } = await lock.query<{ locked: boolean }>(
        'SELECT pg_try_advisory_xact_lock($1) AS locked',
        [ADVISORY_LOCK.legacyCopy],
      );
      if (rows[0]?.locked !== true) return false;
      this.options.observe.told(before);
      await this.copyAll(copy, worker, before, signal);
      return true;
    } finally {
      signal.removeEventListener('abort', abort);
      abort();
    }
  }

  private async copyAll(
    copy: LegacyCopy,
    worker: Client,
    before: LegacyProgress,
    signal: AbortSignal,
  ): Promise<void> {
    const { observe, isBusy } = this.options;
    let mostRows = PAGE_ROWS;
    let lostRaces = 0;
    let toldAt = performance.now();
    let told = before;
    for (let more = true; more && !signal.aborted;) {
      const start = performance.now();
      try {
        more = await copy.copyPage(mostRows);
        mostRows = Math.min(PAGE_ROWS, mostRows * FEWER);
        lostRaces = 0;
      } catch (error) {
        const { class: failureClass, blamesRow } = lookUpFailure(error);
        // A statement that we gave up ourselves still runs.
        const mayTakeFewer = failureClass === 'timeout' && sqlstateOf(error) !== undefined && mostRows > 1;
        // Of a row that PostgreSQL refuses, for a constraint that somebody added, the others are told apart.
        if (!blamesRow && !mayTakeFewer) throw error;
        await worker.query('ROLLBACK');
        if (mostRows > 1) mostRows = Math.ceil(mostRows / FEWER);
        else if (failureClass === 'data' || ++lostRaces >= MOST_TRIES)
          more = await copy.copyPage(1, { leaves: true });
      }
      const end = performance.now();
      if (end - toldAt > TELL_EVERY_MS) {
        const progress = (await this.count(copy)) ?? told;
        observe.told(progress, ((progress.copied - told.copied) * SECOND) / (end - toldAt));
        toldAt = end;
        told = progress;
      }
      const rest = (end - start) * (isBusy() ? REST_UNDER_LOAD : REST);
      if (more) await sleep(rest, undefined, { signal }).catch(() => undefined);
    }
    const after = signal.aborted ? undefined : await this.count(copy);
    if (after) observe.told(after);
  }

  private async count(copy: LegacyCopy): Promise<LegacyProgress | undefined> {
    const progress = await copy.progress();
    if (progress) this.options.observe.counted(progress);
    return progress;
  }

  private newClient(): Client {
    const client = new Client({
      connectionString: this.options.adminUrl,
      application_name: 'market-data-store copy',
      connectionTimeoutMillis: CONNECT_LIMIT_MS,
      query_timeout: STATEMENT_LIMIT_MS,
      keepAlive: true,
    });
    // A connection that is cut while nobody queries on it: the next query rejects.
    client.on('error', () => undefined);
    return client;
  }
}
