import type { PoolClient } from 'pg';

import { SECOND } from '../config/units.js';
import { lookUpFailure } from '../coordinator/failure.table.js';
import type { Sink, Takes } from '../coordinator/sink.js';
import type { Database } from '../database/database.js';
import type { PartitionStore } from '../database/partition.store.js';
import type { BarBatch } from './bar.batch.js';
import { BarTrial } from './bar.trial.js';
import { countLines } from './batch.counts.js';
import { copyBars } from './copy.stream.js';
import { keepBars } from './keep.lane.js';
import type { ResolvedBatch } from './resolved.batch.js';
import { orderByKey, type WriteOrder } from './key.order.js';
import { mergeBars } from './merge.lane.js';
import type { SeriesStore } from './series.store.js';
import { formatTimestamp } from './timestamp.js';
import { OFFSET, readTimestamp, TUPLE_BYTES, viewOf } from './tuple.js';
import type { WriteCounts } from './write.counts.js';

/** The two ways into the table: straight COPY of new bars, or staging and merge when some are stored already. */
export type Lane = 'COPY' | 'UPSERT';

/** What a BarSink reports. */
export interface BarSinkObserver {
  /** A write was tried; seconds count the database's part only. */
  tried(lane: Lane, rows: number, seconds: number, ok: boolean): void;
  /** Stored versions with a time of receipt in the future gave way to one received now. */
  dated(versions: number): void;
}

/**
 * Unique violation: a bar is stored already. Deadlock: a COPY over several partitions does not fill them in the order of
 * the key; the merge locks in that order.
 */
const TAKES_OTHER_LANE: ReadonlySet<unknown> = new Set(['23505', '40P01']);
/** The failure table's name for what a row without a partition raises. */
const NO_PARTITION = 'no_partition';

/** Where the history of bars is, or a partition of it. */
const HISTORY_TABLE = /^(bar_revisions|bar_confirmations|kept_receipts)/;

/** Batches with the ids of their series, which are right until the end of the transaction. */
interface BegunWrite {
  readonly batches: readonly ResolvedBatch[];
  readonly order: WriteOrder;
}

/** Writes batches of bars into PostgreSQL. */
export class BarSink implements Sink<BarBatch, WriteCounts> {
  /** Whether the COPY before met a bar that is stored: then the next one may, and leaves a thousand dead rows behind. */
  private metStored = false;
  private readonly trial: BarTrial;

  constructor(
    private readonly database: Database,
    private readonly series: SeriesStore,
    private readonly partitions: PartitionStore,
    private readonly observe: BarSinkObserver,
  ) {
    this.trial = new BarTrial(database);
  }

  takesOthers(refused: readonly BarBatch[]): Promise<Takes> {
    return this.trial.takesOthers(refused);
  }

  tryEach(batches: readonly BarBatch[]): Promise<readonly (Error | undefined)[]> {
    return this.trial.tryEach(batches);
  }

  async write(batches: readonly BarBatch[]): Promise<readonly WriteCounts[]> {
    try {
      return await this.writeByChoice(batches);
    } catch (error) {
      throw isOfHistory(error) ? historyRefused(error) : error;
    }
  }

  /** One transaction for the batches that replace, and then one for those that keep what is stored. */
  private async writeByChoice(batches: readonly BarBatch[]): Promise<readonly WriteCounts[]> {
    const keeping = batches.filter(({ onConflict }) => onConflict === 'keep');
    if (keeping.length === 0 || keeping.length === batches.length)
      return await this.writeOrMakePartitions(batches);
    const replacing = batches.filter(({ onConflict }) => onConflict === 'replace');
    const replaced = (await this.writeOrMakePartitions(replacing)).values();
    const kept = (await this.writeOrMakePartitions(keeping)).values();
    return batches.flatMap(({ onConflict }) => {
      const counts = onConflict === 'keep' ? kept : replaced;
      return counts.next().value ?? [];
    });
  }

  private async writeOrMakePartitions(batches: readonly BarBatch[]): Promise<readonly WriteCounts[]> {
    try {
      return await this.tryWrite(batches);
    } catch (error) {
      if (lookUpFailure(error).name !== NO_PARTITION) throw error;
      // Somebody removed a partition that was known to exist.
      this.partitions.forget(yearsOf(batches));
      return await this.tryWrite(batches);
    }
  }

  private async tryWrite(batches: readonly BarBatch[]): Promise<readonly WriteCounts[]> {
    await this.partitions.ensure(yearsOf(batches));
    return await this.database.withClient(async (client) => {
      let begun = await this.begin(client, batches);
      if (batches[0]?.onConflict === 'keep') return await this.keep(client, begun);
      // Two versions of one key cannot both be new.
      const mayBeNew = begun.order.versions.at.length === 0;
      if (mayBeNew && !(this.metStored && (await isFirstStored(client, begun)))) {
        const copied = await this.copy(client, begun);
        if (copied) return copied;
        begun = await this.beginAgain(client, batches);
      }
      try {
        return await this.merge(client, begun);
      } catch (error) {
        if (!isOnEmptySpan(error)) throw error;
        return await this.merge(client, await this.beginAgain(client, batches), { rebuildsAll: true });
      }
    });
  }

  /** Begins a transaction in which the batches may be written under the ids that they get. */
  private async begin(client: PoolClient, batches: readonly BarBatch[]): Promise<BegunWrite> {
    const used = batches.map(seriesOfBars);
    const ids = await this.series.begin(
      client,
      batches.map(({ series }, index) => used[index]?.map((at) => series[at] ?? '') ?? series),
    );
    const resolved = batches.map((batch, index) => ({
      batch,
      ids: spread(ids[index] ?? new Int32Array(), used[index], batch.series.length),
    }));
    return { batches: resolved, order: orderByKey(resolved) };
  }

  private async beginAgain(client: PoolClient, batches: readonly BarBatch[]): Promise<BegunWrite> {
    await client.query('ROLLBACK');
    return await this.begin(client, batches);
  }

  /** @returns undefined when some bars are stored already */
  private async copy(
    client: PoolClient,
    { batches, order }: BegunWrite,
  ): Promise<readonly WriteCounts[] | undefined> {
    try {
      await this.timed('COPY', batches, () => copyBars(client, 'bars', batches, order.keys, 'COMMIT'));
    } catch (error) {
      if (!TAKES_OTHER_LANE.has(codeOf(error))) throw error;
      this.metStored = true;
      return undefined;
    }
    this.metStored = false;
    return batches.map(({ batch }) =>
      countLines(batch, { inserted: batch.rows, updated: 0, superseded: 0 }, batch.superseded),
    );
  }

  private async merge(
    client: PoolClient,
    { batches, order }: BegunWrite,
    { rebuildsAll = false } = {},
  ): Promise<readonly WriteCounts[]> {
    return await this.timed('UPSERT', batches, async () => {
      const { counts, dated } = await mergeBars(client, batches, order, { rebuildsAll });
      await client.query('COMMIT');
      if (dated > 0) this.observe.dated(dated);
      return counts;
    });
  }

  private async keep(client: PoolClient, { batches, order }: BegunWrite): Promise<readonly WriteCounts[]> {
    return await this.timed('UPSERT', batches, async () => {
      const counts = await keepBars(client, batches, order);
      await client.query('COMMIT');
      return counts;
    });
  }

  private async timed<T>(lane: Lane, batches: readonly ResolvedBatch[], work: () => Promise<T>): Promise<T> {
    const rows = batches.reduce((sum, { batch }) => sum + batch.rows, 0);
    const start = performance.now();
    const seconds = () => (performance.now() - start) / SECOND;
    try {
      const result = await work();
      this.observe.tried(lane, rows, seconds(), true);
      return result;
    } catch (error) {
      // A bar that is stored already sends the write to the other lane; that is no failure.
      if (!TAKES_OTHER_LANE.has(codeOf(error))) this.observe.tried(lane, rows, seconds(), false);
      throw error;
    }
  }
}

function yearsOf(batches: readonly BarBatch[]): ReadonlySet<number> {
  return new Set(batches.flatMap(({ years }) => [...years]));
}

/**
 * Of which series of its dictionary a batch has bars, as indexes; undefined when it may have some of each. A part of a
 * batch has the dictionary of the whole: half a million names for one bar that is tried alone.
 */
function seriesOfBars({ rows, series, tuples }: BarBatch): number[] | undefined {
  if (rows >= series.length) return undefined;
  const view = viewOf(tuples);
  const used = new Set<number>();
  for (let at = OFFSET.series; at < tuples.length; at += TUPLE_BYTES) used.add(view.getInt32(at));
  return [...used];
}

/** Puts ids at their places in the dictionary; 0 for series of which there are no bars. */
function spread(ids: Int32Array, used: readonly number[] | undefined, length: number): Int32Array {
  if (used === undefined) return ids;
  const all = new Int32Array(length);
  used.forEach((at, index) => (all[at] = ids[index] ?? 0));
  return all;
}

async function isFirstStored(client: PoolClient, { batches, order: { keys } }: BegunWrite): Promise<boolean> {
  const [at = 0] = keys.at;
  const first = batches[keys.batch[0] ?? 0];
  if (first === undefined) return false;
  const { tuples } = first.batch;
  const { rowCount } = await client.query('SELECT FROM bars WHERE series_id = $1 AND ts = $2', [
    first.ids[tuples.readInt32BE(at + OFFSET.series)],
    formatTimestamp(readTimestamp(tuples, at + OFFSET.ts)),
  ]);
  return rowCount === 1;
}

/** Only a release before this one filed a span of no length, when two replicas had the same time. */
function isOnEmptySpan(error: unknown): boolean {
  const constraint = error instanceof Error && 'constraint' in error ? error.constraint : undefined;
  return codeOf(error) === '23505' && constraint === 'bar_revisions_pkey';
}

/** What the tables of the history refuse, as with a column of somebody's, is no fault of a bar: it waits. */
function isOfHistory(error: unknown): error is Error {
  const table = error instanceof Error && 'table' in error ? error.table : undefined;
  return typeof table === 'string' && HISTORY_TABLE.test(table) && lookUpFailure(error).class === 'data';
}

/** Without its cause, whose SQLSTATE would blame the bars. */
function historyRefused(error: Error): Error {
  return new Error(`the history of bars is refused (${String(codeOf(error))}): ${error.message}`);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
