import type { PoolClient } from 'pg';

import { countsOf, shareCounts, startCounts } from './batch.counts.js';
import { COUNT_KEPT, COUNT_SEVERAL_KEPT, INSERT_KEPT } from './keep.sql.js';
import type { WriteOrder } from './key.order.js';
import { countRepeated } from './repeated.lines.js';
import type { ResolvedBatch } from './resolved.batch.js';
import { stageBars } from './staged.bars.js';
import { formatTimestamp } from './timestamp.js';
import type { WriteCounts } from './write.counts.js';

/**
 * Writes batches that keep what is stored, in the transaction that was begun: a bar is stored where none is, and of
 * several for one key the one received first. @returns what became of each batch, in the order given
 */
export async function keepBars(
  client: PoolClient,
  batches: readonly ResolvedBatch[],
  order: WriteOrder,
): Promise<readonly WriteCounts[]> {
  const counts = startCounts(batches);
  const range = [formatTimestamp(order.firstTs), formatTimestamp(order.lastTs)];
  const hasSeveral = await stageBars(client, batches, order);
  await client.query(INSERT_KEPT);
  const { rows } = await client.query<{ batch: string; inserted: number; superseded: number }>(
    hasSeveral ? COUNT_SEVERAL_KEPT : COUNT_KEPT,
    range,
  );
  for (const { batch, inserted, superseded } of rows) {
    const ofBatch = countsOf(counts, batch);
    ofBatch.inserted += inserted;
    ofBatch.superseded += superseded;
  }
  await countRepeated(client, batches, counts, { range, hasSeveral });
  return shareCounts(batches, counts);
}
