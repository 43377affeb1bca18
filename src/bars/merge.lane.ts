import type { PoolClient } from 'pg';

import { copyBars, type ResolvedBatch } from './copy.stream.js';
import {
  APPLY_NEWER,
  COUNT_REPLACED,
  COUNT_ROUNDS,
  CREATE_STAGING,
  FILE_LATE,
  INSERT_FRESH,
  LOCK_STORED,
} from './merge.sql.js';
import type { WriteCounts } from './write.counts.js';

type Counted<Column extends string> = { batch: string } & Record<Column, number>;

/**
 * Writes batches some of whose bars are stored already, in one transaction: of two versions the one received last
 * stays, the other goes to the revisions, whatever the order in which they are committed.
 * @returns what became of each batch, in the order given
 */
export async function mergeBars(
  client: PoolClient,
  batches: readonly ResolvedBatch[],
): Promise<readonly WriteCounts[]> {
  const counts = new Map<string, { inserted: number; updated: number }>(
    batches.map(({ batch }) => [String(batch.receivedAt), { inserted: 0, updated: 0 }]),
  );
  const countsOf = (batch: string) => {
    const found = counts.get(batch);
    if (found === undefined)
      throw new Error(`the merge counted rows of an unknown batch received at ${batch}`);
    return found;
  };

  await client.query('BEGIN');
  await client.query(CREATE_STAGING);
  await copyBars(client, 'bars_staging', batches);
  // A batch alone holds each key once (see BarBatch): there is nothing to count then.
  const rounds = batches.length === 1 ? 1 : await countRounds(client);
  for (let round = 1; round <= rounds; round += 1) await mergeRound(client, round, countsOf);
  await client.query('COMMIT');

  return batches.map(({ batch }) => {
    const { inserted, updated } = countsOf(String(batch.receivedAt));
    return { inserted, updated, unchanged: batch.lines - inserted - updated };
  });
}

async function countRounds(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ rounds: number }>(COUNT_ROUNDS);
  return rows[0]?.rounds ?? 0;
}

async function mergeRound(
  client: PoolClient,
  round: number,
  countsOf: (batch: string) => { inserted: number; updated: number },
): Promise<void> {
  const fresh = await client.query<Counted<'inserted'>>(INSERT_FRESH, [round]);
  let inserted = 0;
  for (const row of fresh.rows) {
    countsOf(row.batch).inserted += row.inserted;
    inserted += row.inserted;
  }

  await client.query(LOCK_STORED, [round]);
  const applied = await client.query<Counted<'updated' | 'written' | 'late'>>(APPLY_NEWER, [round]);
  let written = 0;
  let late = 0;
  for (const row of applied.rows) {
    countsOf(row.batch).updated += row.updated;
    written += row.written;
    late += row.late;
  }

  // More rows carry these batches' values than this round inserted: an earlier try was committed unheard.
  if (written > inserted) await countEarlierTry(client, round, applied.rows, fresh.rows, countsOf);
  if (late > 0) await client.query(FILE_LATE, [round]);
}

/** Counts what an earlier try wrote as if this one had. */
async function countEarlierTry(
  client: PoolClient,
  round: number,
  applied: readonly Counted<'written'>[],
  fresh: readonly Counted<'inserted'>[],
  countsOf: (batch: string) => { inserted: number; updated: number },
): Promise<void> {
  const replaced = await client.query<Counted<'replaced'>>(COUNT_REPLACED, [round]);
  const replacedOf = new Map(replaced.rows.map((row) => [row.batch, row.replaced]));
  const freshOf = new Map(fresh.map((row) => [row.batch, row.inserted]));
  for (const { batch, written } of applied) {
    const earlier = written - (freshOf.get(batch) ?? 0);
    const updates = replacedOf.get(batch) ?? 0;
    countsOf(batch).updated += updates;
    countsOf(batch).inserted += earlier - updates;
  }
}
