import { batchOf } from './merge.sql.js';

/**
 * Writes bars that keep what is stored: what is staged is inserted where its key has no bar. A writer of the same key that
 * has not committed yet is waited for.
 */

const VALUES = ['open', 'high', 'low', 'close', 'volume'];
const valuesOf = (table: string): string => `(${VALUES.map((name) => `${table}.${name}`).join(', ')})`;

/** Inserts the bars that are not there, and notes that they give way to every version that replaces. */
export const INSERT_KEPT = `
  WITH fresh AS (
    INSERT INTO bars (series_id, ts, open, high, low, close, volume, received_at)
    SELECT series_id, ts, open, high, low, close, volume, received_at FROM bars_staging ORDER BY series_id, ts
    ON CONFLICT (series_id, ts) DO NOTHING
    RETURNING series_id, received_at
  )
  INSERT INTO kept_receipts (series_id, received_at)
  SELECT DISTINCT series_id, received_at FROM fresh ORDER BY series_id, received_at
  ON CONFLICT DO NOTHING`;

/**
 * Compares what came with what is stored now. Per batch: `inserted`, bars that it has stored, now or by an earlier try
 * whose commit was not heard of; `superseded`, those of which other values are stored.
 */
const countIn = (came: string): string => `
  SELECT ${batchOf('came')} AS batch,
         (count(*) FILTER (WHERE came.received_at = stored.received_at
                             AND ${valuesOf('came')} = ${valuesOf('stored')}))::int AS inserted,
         (count(*) FILTER (WHERE ${valuesOf('came')} <> ${valuesOf('stored')}))::int AS superseded
    FROM ${came} AS came JOIN bars AS stored USING (series_id, ts)
   WHERE stored.ts BETWEEN $1 AND $2
   GROUP BY came.received_at`;

export const COUNT_KEPT = countIn('bars_staging');

/** The same when several batches hold one key: it is staged once, and stands in `bars_versions` for each of them. */
export const COUNT_SEVERAL_KEPT = countIn('(SELECT * FROM bars_staging UNION SELECT * FROM bars_versions)');
