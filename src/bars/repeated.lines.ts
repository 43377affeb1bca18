import type { PoolClient } from 'pg';

import { type CountsByReceipt, countsOf } from './batch.counts.js';
import { copyBars } from './copy.stream.js';
import { COUNT_KEPT } from './keep.sql.js';
import type { KeyOrder } from './key.order.js';
import type { ResolvedBatch } from './resolved.batch.js';
import { TUPLE_BYTES } from './tuple.js';

/**
 * Counts the lines that gave way to another of their body and have other values than are stored, when all rows are written.
 * They are staged in place of the rows. Those of a batch of which every row is stored are left out: the builder of the
 * batch has counted them.
 */
export async function countRepeated(
  client: PoolClient,
  batches: readonly ResolvedBatch[],
  counts: CountsByReceipt,
  { range, hasSeveral }: { readonly range: readonly string[]; readonly hasSeveral: boolean },
): Promise<void> {
  const lines = batches.flatMap(({ batch, ids }) => {
    const { repeated, receivedAt } = batch;
    const mayHaveLost = hasSeveral || countsOf(counts, String(receivedAt)).superseded > 0;
    return repeated && mayHaveLost ? [{ batch: { ...batch, tuples: repeated }, ids }] : [];
  });
  if (lines.length === 0) return;
  await client.query('DELETE FROM bars_staging');
  await copyBars(client, 'bars_staging', lines, asTheyCome(lines));
  // It compares what is staged with what is stored, whatever lane wrote that.
  const { rows } = await client.query<{ batch: string; superseded: number }>(COUNT_KEPT, [...range]);
  for (const { batch, superseded } of rows) countsOf(counts, batch).repeated = superseded;
}

function asTheyCome(batches: readonly ResolvedBatch[]): KeyOrder {
  const bytes = batches.reduce((sum, { batch }) => sum + batch.tuples.length, 0);
  const order = { batch: new Uint32Array(bytes / TUPLE_BYTES), at: new Uint32Array(bytes / TUPLE_BYTES) };
  let place = 0;
  batches.forEach(({ batch: { tuples } }, index) => {
    for (let at = 0; at < tuples.length; at += TUPLE_BYTES) {
      order.batch[place] = index;
      order.at[place++] = at;
    }
  });
  return order;
}
