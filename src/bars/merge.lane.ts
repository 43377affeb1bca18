import type { PoolClient } from 'pg';

import { copyBars } from './copy.stream.js';
import type { ResolvedBatch } from './resolved.batch.js';
import type { KeyOrder } from './key.order.js';
import { formatTimestamp } from './timestamp.js';
import {
  APPLY_NEWER,
  PREPARE_MERGE,
  COUNT_REPLACED,
  EMPTY_STAGING,
  FILE_LATE,
  INSERT_FRESH,
  PAIR_STORED,
  READ_CONFIRMATIONS,
  UNSTAGE_PAIRED,
} from './merge.sql.js';
import type { WriteCounts } from './write.counts.js';

/** Rows that somebody deletes while they are merged are inserted again, so often. */
const MOST_INSERTS = 5;

type Counted<Column extends string> = { batch: string } & Record<Column, number>;

/** What became of the bars of each batch, by its time of receipt. */
type Counts = ReadonlyMap<string, { inserted: number; updated: number }>;

/**
 * Writes batches some of whose bars are stored already, in the transaction that was begun for them: of two versions the
 * one received last stays, the other goes to the revisions, whatever the order in which they are committed.
 * @param rounds the batches' tuples, each key at most once in a round
 * @returns what became of each batch, in the order given
 */
export async function mergeBars(
  client: PoolClient,
  batches: readonly ResolvedBatch[],
  rounds: readonly KeyOrder[],
): Promise<readonly WriteCounts[]> {
  const counts: Counts = new Map(
    batches.map(({ batch }) => [String(batch.receivedAt), { inserted: 0, updated: 0 }]),
  );

  await client.query(PREPARE_MERGE);
  for (const [round, order] of rounds.entries()) {
    if (round > 0) await client.query(EMPTY_STAGING);
    await copyBars(client, 'bars_staging', batches, order);
    await mergeRound(client, order, counts);
  }

  // Parts of one body, replayed from the dead letters, share its time of receipt: they share what was counted.
  return batches.map(({ batch }) => {
    const left = countsOf(counts, String(batch.receivedAt));
    const inserted = Math.min(left.inserted, batch.rows);
    const updated = Math.min(left.updated, batch.rows - inserted);
    left.inserted -= inserted;
    left.updated -= updated;
    return { inserted, updated, unchanged: batch.lines - inserted - updated };
  });
}

function countsOf(counts: Counts, batch: string): { inserted: number; updated: number } {
  const found = counts.get(batch);
  if (found === undefined) throw new Error(`the merge counted rows of an unknown batch received at ${batch}`);
  return found;
}

async function mergeRound(client: PoolClient, order: KeyOrder, counts: Counts): Promise<void> {
  const range = [formatTimestamp(order.firstTs), formatTimestamp(order.lastTs)];
  const fresh = await pairAll(client, order.at.length, range);
  let inserted = 0;
  for (const row of fresh) {
    countsOf(counts, row.batch).inserted += row.inserted;
    inserted += row.inserted;
  }

  await client.query(READ_CONFIRMATIONS, range);
  const applied = await client.query<Counted<'updated' | 'written' | 'late' | 'found'>>(APPLY_NEWER, range);
  let updated = 0;
  let written = 0;
  let late = 0;
  for (const row of applied.rows) {
    countsOf(counts, row.batch).updated += row.updated;
    updated += row.updated;
    written += row.written;
    late += row.late;
  }
  // A trigger or row security may have kept a bar from being replaced: then it goes to the dead letters.
  const found = applied.rows[0]?.found ?? 0;
  if (found !== updated) throw new Error(`${found} bars were replaced where ${updated} were to be`);

  // More rows carry these batches' values than this round inserted: an earlier try was committed unheard.
  if (written > inserted) await countEarlierTry(client, applied.rows, fresh, counts);
  if (late > 0) await client.query(FILE_LATE, range);
}

/**
 * Inserts what is not stored, until all staged keys are there, locked and paired; the usual merge finds them at once.
 * @returns what was inserted
 */
async function pairAll(
  client: PoolClient,
  rows: number,
  range: readonly string[],
): Promise<Counted<'inserted'>[]> {
  const fresh: Counted<'inserted'>[] = [];
  let paired = await pairStored(client, range);
  for (let inserts = 0; paired < rows; inserts++) {
    if (inserts === MOST_INSERTS) throw new Error('bars are deleted as fast as they are merged');
    await client.query(UNSTAGE_PAIRED);
    fresh.push(...(await client.query<Counted<'inserted'>>(INSERT_FRESH)).rows);
    paired += await pairStored(client, range);
  }
  return fresh;
}

async function pairStored(client: PoolClient, range: readonly string[]): Promise<number> {
  const { rowCount } = await client.query(PAIR_STORED, [...range]);
  return rowCount ?? 0;
}

/** Counts what an earlier try wrote as if this one had. */
async function countEarlierTry(
  client: PoolClient,
  applied: readonly Counted<'written'>[],
  fresh: readonly Counted<'inserted'>[],
  counts: Counts,
): Promise<void> {
  const replaced = await client.query<Counted<'replaced'>>(COUNT_REPLACED);
  const replacedOf = new Map(replaced.rows.map((row) => [row.batch, row.replaced]));
  const freshOf = new Map<string, number>();
  for (const { batch, inserted } of fresh) freshOf.set(batch, (freshOf.get(batch) ?? 0) + inserted);
  for (const { batch, written } of applied) {
    const earlier = written - (freshOf.get(batch) ?? 0);
    const updates = replacedOf.get(batch) ?? 0;
    countsOf(counts, batch).updated += updates;
    countsOf(counts, batch).inserted += earlier - updates;
  }
}
