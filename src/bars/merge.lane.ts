import type { PoolClient } from 'pg';

import { copyBars } from './copy.stream.js';
import {
  ANALYZE_HISTORY,
  ANALYZE_MERGE,
  CONFIRM_LAST_SPANS,
  COUNT_SPANS,
  DATE_FUTURE_AGAIN,
  FILE_SPANS,
  FORGET_CONFIRMATIONS,
  LAY_OUT_VERSIONS,
  MAKE_SPANS,
  REMOVE_REVISIONS,
  STORE_LAST_SPANS,
} from './history.sql.js';
import type { KeyOrder } from './key.order.js';
import {
  APPLY_LATER,
  COUNT_REPLACED,
  INSERT_FRESH,
  MARK_SEVERAL,
  PAIR_STORED,
  PREPARE_MERGE,
  READ_CONFIRMATIONS,
  UNSTAGE_PAIRED,
} from './merge.sql.js';
import type { ResolvedBatch } from './resolved.batch.js';
import { formatTimestamp } from './timestamp.js';
import type { WriteCounts } from './write.counts.js';

/** Rows that somebody deletes while they are merged are inserted again, at most this often. */
const MOST_INSERTS = 5;

type Counted<Column extends string> = { batch: string } & Record<Column, number>;

/** What became of the bars of each batch, by its time of receipt. */
type Counts = ReadonlyMap<string, { inserted: number; updated: number }>;

/** What a merge did. */
export interface Merged {
  /** What became of each batch, in the order given. */
  readonly counts: readonly WriteCounts[];
  /** Versions from the future that gave way to one received now. */
  readonly dated: number;
}

/**
 * Writes batches some of whose bars are stored already, in the transaction that was begun for them: of two versions the
 * one received last stays, the other goes to the revisions, whatever the order in which they are committed.
 */
export async function mergeBars(
  client: PoolClient,
  batches: readonly ResolvedBatch[],
  { newest, others }: MergeOrder,
): Promise<Merged> {
  const counts: Counts = new Map(
    batches.map(({ batch }) => [String(batch.receivedAt), { inserted: 0, updated: 0 }]),
  );
  const range = [formatTimestamp(newest.firstTs), formatTimestamp(newest.lastTs)];
  await client.query(PREPARE_MERGE);
  await copyBars(client, 'bars_staging', batches, newest);
  if (others) await copyBars(client, 'bars_others', batches, others);
  await pairAll(client, newest.at.length, range);
  if (others) await client.query(MARK_SEVERAL);
  await client.query(READ_CONFIRMATIONS, range);
  const intricate = await applyLater(client, range, counts);
  const dated = intricate > 0 ? await rebuildHistory(client, range, counts) : 0;

  // Parts of one body, replayed from the dead letters, share its time of receipt: they share what was counted.
  const perBatch = batches.map(({ batch }) => {
    const left = countsOf(counts, String(batch.receivedAt));
    const inserted = Math.min(left.inserted, batch.rows);
    const updated = Math.min(left.updated, batch.rows - inserted);
    left.inserted -= inserted;
    left.updated -= updated;
    return { inserted, updated, unchanged: batch.lines - inserted - updated };
  });
  return { counts: perBatch, dated };
}

/** The newest version of each key, and those before it, if there are any. */
interface MergeOrder {
  readonly newest: KeyOrder;
  readonly others: KeyOrder | undefined;
}

/** Inserts what is not stored, until all staged keys are there, locked and paired; the usual merge finds them at once. */
async function pairAll(client: PoolClient, rows: number, range: readonly string[]): Promise<void> {
  let paired = await changedBy(client, PAIR_STORED, range);
  for (let inserts = 0; paired < rows; inserts++) {
    if (inserts === MOST_INSERTS) throw new Error('bars are deleted as fast as they are merged');
    await client.query(UNSTAGE_PAIRED);
    await client.query(INSERT_FRESH);
    paired += await changedBy(client, PAIR_STORED, range);
  }
}

/**
 * Applies versions that are later than all that is known of their keys.
 * @returns pairs that are left, whose history must be put together again
 */
async function applyLater(client: PoolClient, range: readonly string[], counts: Counts): Promise<number> {
  type Column = 'inserted' | 'updated' | 'earlier' | 'intricate' | 'found';
  const { rows } = await client.query<Counted<Column>>(APPLY_LATER, [...range]);
  let updated = 0;
  let earlier = 0;
  let intricate = 0;
  for (const row of rows) {
    const count = countsOf(counts, row.batch);
    count.inserted += row.inserted;
    count.updated += row.updated;
    updated += row.updated;
    earlier += row.earlier;
    intricate += row.intricate;
  }
  // A trigger or row security may have kept a bar from being replaced.
  const found = rows[0]?.found ?? 0;
  if (found !== updated) throw new Error(`${found} bars were replaced where ${updated} were to be`);
  if (earlier > 0) await countEarlierTry(client, rows, counts);
  return intricate;
}

/** Counts what an earlier try wrote, whose commit was not heard of, as if this one had. */
async function countEarlierTry(
  client: PoolClient,
  applied: readonly Counted<'earlier'>[],
  counts: Counts,
): Promise<void> {
  const { rows } = await client.query<Counted<'replaced'>>(COUNT_REPLACED);
  const replacedOf = new Map(rows.map((row) => [row.batch, row.replaced]));
  for (const { batch, earlier } of applied) {
    const replaced = replacedOf.get(batch) ?? 0;
    const count = countsOf(counts, batch);
    count.updated += replaced;
    count.inserted += earlier - replaced;
  }
}

/** @returns versions from the future that were dated again */
async function rebuildHistory(client: PoolClient, range: readonly string[], counts: Counts): Promise<number> {
  await client.query(ANALYZE_MERGE);
  await client.query(LAY_OUT_VERSIONS);
  const dated = await changedBy(client, DATE_FUTURE_AGAIN);
  await client.query(MAKE_SPANS);
  await client.query(ANALYZE_HISTORY);
  await client.query(REMOVE_REVISIONS);
  await client.query(FILE_SPANS);
  await client.query(STORE_LAST_SPANS, [...range]);
  await client.query(CONFIRM_LAST_SPANS);
  await client.query(FORGET_CONFIRMATIONS);
  const { rows } = await client.query<Counted<'inserted' | 'updated'>>(COUNT_SPANS);
  for (const { batch, inserted, updated } of rows) {
    const count = countsOf(counts, batch);
    count.inserted += inserted;
    count.updated += updated;
  }
  return dated;
}

async function changedBy(
  client: PoolClient,
  statement: string,
  values: readonly string[] = [],
): Promise<number> {
  const { rowCount } = await client.query(statement, [...values]);
  return rowCount ?? 0;
}

function countsOf(counts: Counts, batch: string): { inserted: number; updated: number } {
  const found = counts.get(batch);
  if (found === undefined) throw new Error(`the merge counted rows of an unknown batch received at ${batch}`);
  return found;
}
