import type { PoolClient } from 'pg';

import { copyBars } from './copy.stream.js';
import type { WriteOrder } from './key.order.js';
import { PREPARE_MERGE, PREPARE_REBUILD } from './merge.sql.js';
import type { ResolvedBatch } from './resolved.batch.js';

/**
 * Copies bars into `bars_staging`, one for each key, and into `bars_versions` all those of keys that have several.
 * @returns whether any key has several
 */
export async function stageBars(
  client: PoolClient,
  batches: readonly ResolvedBatch[],
  { keys, versions }: WriteOrder,
): Promise<boolean> {
  const hasSeveral = versions.at.length > 0;
  await client.query(PREPARE_MERGE);
  await copyBars(client, 'bars_staging', batches, keys);
  if (hasSeveral) {
    await client.query(PREPARE_REBUILD);
    await copyBars(client, 'bars_versions', batches, versions);
  }
  return hasSeveral;
}
