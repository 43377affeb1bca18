import type { PoolClient } from 'pg';

import { countsOf, shareCounts, startCounts } from './batch.counts.js';
import { copyBars } from './copy.stream.js';
import { COUNT_KEPT, COUNT_SEVERAL_KEPT, INSERT_KEPT } from './keep.sql.js';
import type { WriteOrder } from './key.order.js';
import { PREPARE_MERGE, PREPARE_REBUILD } from './merge.sql.js';
import type { ResolvedBatch } from './resolved.batch.js';
import { formatTimestamp } from './timestamp.js';
import type { WriteCounts } from './write.counts.js';

/**
 * Writes batches that keep what is stored, in the transaction that was begun: a bar is stored where none is, and of
 * several for one key the one received first. @returns what became of each batch, in the order given
 */
export async function keepBars(
  client: PoolClient,
  batches: readonly ResolvedBatch[],
  { keys, versions, firstTs, lastTs }: WriteOrder,
): Promise<readonly WriteCounts[]> {
  const counts = startCounts(batches);
  const hasSeveral = versions.at.length > 0;
  await client.query(PREPARE_MERGE);
  await copyBars(client, 'bars_staging', batches, keys);
  if (hasSeveral) {
    await client.query(PREPARE_REBUILD);
    await copyBars(client, 'bars_versions', batches, versions);
  }
  await client.query(INSERT_KEPT);
  const { rows } = await client.query<{ batch: string; inserted: number; superseded: number }>(
    hasSeveral ? COUNT_SEVERAL_KEPT : COUNT_KEPT,
    [formatTimestamp(firstTs), formatTimestamp(lastTs)],
  );
  for (const { batch, inserted, superseded } of rows) {
    const ofBatch = countsOf(counts, batch);
    ofBatch.inserted += inserted;
    ofBatch.superseded += superseded;
  }
  return shareCounts(batches, counts);
}
