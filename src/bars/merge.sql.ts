/**
 * The merge lane, statement by statement. The staging table holds one version of each key at a time; each is paired
 * with the bar that is stored under its key, and what becomes of it is read from the pair. Locks are taken in the order
 * of the key, so that two merges that run at once wait for each other and do not deadlock. $1 and $2 are the first and
 * the last ts that is staged: with them the planner sees which partitions, and how much of them, are touched.
 */

/**
 * What a statement reads must be as new as its locks: the transaction is READ COMMITTED. The tables are made per
 * transaction, because a connection pooler may hand us another session each time. Bars that are merged were written not
 * long ago: their pages are in memory. With the planner's idea of a disk it would read a whole table where an index leads
 * to what is wanted.
 */
export const PREPARE_MERGE = `
  SET LOCAL random_page_cost = 0.1;
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_staging (
    series_id int, ts timestamptz, open float8, high float8, low float8, close float8, volume float8,
    received_at timestamptz
  ) ON COMMIT DELETE ROWS;
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_paired (
    newer boolean, same boolean, place tid, series_id int, ts timestamptz,
    received_at timestamptz, stored_at timestamptz, confirmed_at timestamptz,
    open float8, high float8, low float8, close float8, volume float8,
    old_open float8, old_high float8, old_low float8, old_close float8, old_volume float8
  ) ON COMMIT DELETE ROWS`;

/** When the stored bar of a pair was last received. */
const LAST = 'greatest(stored_at, confirmed_at)';

/** Makes room for the next version of keys that several batches hold. */
export const EMPTY_STAGING = 'TRUNCATE bars_staging, bars_paired';

/** The time of receipt identifies a batch; as Unix microseconds it is the number that Node knows it by. */
const BATCH = '(extract(epoch FROM received_at) * 1000000)::bigint::text';

/**
 * Locks the stored bars and pairs them with what is staged for their keys. A bar that is only confirmed is locked too:
 * otherwise a version received before the confirmation could replace it meanwhile. `place` is where the bar is stored
 * within its partition; while it is locked it stays there. `confirmed_at`, when the stored bar was received again, is
 * filled in by READ_CONFIRMATIONS.
 */
export const PAIR_STORED = `
  INSERT INTO bars_paired (newer, same, place, series_id, ts, received_at, stored_at,
                           open, high, low, close, volume, old_open, old_high, old_low, old_close, old_volume)
  SELECT -- Replicas may share a time of receipt: then the values decide, so that the order of commits does not.
         new.received_at > old.received_at
           OR (new.received_at = old.received_at AND (new.open, new.high, new.low, new.close, new.volume)
                                                   > (old.open, old.high, old.low, old.close, old.volume)),
         new.open = old.open AND new.high = old.high AND new.low = old.low AND new.close = old.close
           AND new.volume = old.volume,
         old.ctid, series_id, ts, new.received_at, old.received_at,
         new.open, new.high, new.low, new.close, new.volume, old.open, old.high, old.low, old.close, old.volume
    FROM bars_staging AS new JOIN bars AS old USING (series_id, ts)
   WHERE old.ts BETWEEN $1 AND $2
   ORDER BY series_id, ts FOR NO KEY UPDATE OF old`;

/** Leaves in the staging table what is not paired yet. */
export const UNSTAGE_PAIRED = `
  DELETE FROM bars_staging AS new USING bars_paired AS pair
   WHERE pair.series_id = new.series_id AND pair.ts = new.ts`;

/** Inserts the bars that are not there; counts them per batch. */
export const INSERT_FRESH = `
  WITH fresh AS (
    INSERT INTO bars (series_id, ts, open, high, low, close, volume, received_at)
    SELECT series_id, ts, open, high, low, close, volume, received_at FROM bars_staging ORDER BY series_id, ts
    ON CONFLICT (series_id, ts) DO NOTHING
    RETURNING received_at
  )
  SELECT ${BATCH} AS batch, count(*)::int AS inserted FROM fresh GROUP BY received_at`;

/** Reads when the paired bars were confirmed: after they are locked, for then nobody else confirms them. */
export const READ_CONFIRMATIONS = `
  UPDATE bars_paired AS pair
     SET confirmed_at = seen.confirmed_at,
         newer = newer AND (received_at > seen.confirmed_at OR received_at = stored_at)
    FROM bar_confirmations AS seen
   WHERE seen.series_id = pair.series_id AND seen.ts = pair.ts AND seen.ts BETWEEN $1 AND $2`;

/**
 * Replaces stored bars by later versions with other values, files what they replace, and notes when a bar was
 * received again unchanged. Per batch: `updated`; `written`, bars that carry this batch's values already (just
 * inserted, or by an earlier try whose commit was not heard of); `late`, versions received before the stored one.
 * `found` counts the bars of all batches that were at their place.
 */
export const APPLY_NEWER = `
  WITH filed AS (
    INSERT INTO bar_revisions (series_id, ts, open, high, low, close, volume, received_at, superseded_at)
    SELECT series_id, ts, old_open, old_high, old_low, old_close, old_volume, stored_at, received_at
      FROM bars_paired WHERE newer AND NOT same
  ),
  found AS (
    UPDATE bars
       SET open = pair.open, high = pair.high, low = pair.low, close = pair.close, volume = pair.volume,
           received_at = pair.received_at
      FROM bars_paired AS pair
     WHERE newer AND NOT same
       -- All places at once: to go to one at a time asks the system for the size of the table each time.
       AND bars.ctid = ANY (ARRAY (SELECT place FROM bars_paired WHERE newer AND NOT same))
       -- Another partition, or another pair, has another bar at that place.
       AND bars.series_id = pair.series_id AND bars.ts = pair.ts AND bars.ts BETWEEN $1 AND $2
    RETURNING 1
  ),
  confirmed AS (
    INSERT INTO bar_confirmations (series_id, ts, confirmed_at)
    SELECT series_id, ts, received_at FROM bars_paired WHERE newer AND same AND confirmed_at IS NULL
  ),
  confirmed_again AS (
    UPDATE bar_confirmations AS seen SET confirmed_at = pair.received_at FROM bars_paired AS pair
     WHERE newer AND same AND pair.confirmed_at IS NOT NULL
       AND seen.series_id = pair.series_id AND seen.ts = pair.ts
  )
  SELECT ${BATCH} AS batch,
         (count(*) FILTER (WHERE newer AND NOT same))::int AS updated,
         (count(*) FILTER (WHERE received_at = stored_at AND same))::int AS written,
         (count(*) FILTER (WHERE received_at < ${LAST} AND received_at <> stored_at))::int AS late,
         (SELECT count(*) FROM found)::int AS found
    FROM bars_paired GROUP BY received_at`;

/** Of the bars that carry a batch's values already: those that replaced an earlier version. */
export const COUNT_REPLACED = `
  SELECT (extract(epoch FROM pair.received_at) * 1000000)::bigint::text AS batch, count(*)::int AS replaced
    FROM bars_paired AS pair
    JOIN bar_revisions AS earlier
      ON earlier.series_id = pair.series_id AND earlier.ts = pair.ts AND earlier.superseded_at = pair.received_at
   WHERE pair.received_at = stored_at AND same
   GROUP BY pair.received_at`;

/**
 * Files versions that were received before the stored one but committed after it, where in time they belong:
 * - between the stored bar's receipt and its last confirmation: what was stored is cut in two around it;
 * - within an earlier version's span: that version is cut short;
 * - before everything known: it lasts until the oldest known version.
 *
 * What such a version is paired with is as it was: only newer ones have changed anything since.
 */
export const FILE_LATE = `
  WITH between_confirmations AS (
    SELECT *, ${LAST} AS known_until
      FROM bars_paired WHERE stored_at < received_at AND received_at < ${LAST} AND NOT same
  ),
  restarted AS (
    UPDATE bars SET received_at = late.known_until FROM between_confirmations AS late
     WHERE bars.series_id = late.series_id AND bars.ts = late.ts AND bars.ts BETWEEN $1 AND $2
  ),
  earlier AS (
    SELECT pair.*, span.received_at AS span_from, span.superseded_at AS span_until, next.next_from,
           (pair.open = span.open AND pair.high = span.high AND pair.low = span.low AND pair.close = span.close
             AND pair.volume = span.volume) AS known
      FROM bars_paired AS pair
      LEFT JOIN bar_revisions AS span
        ON span.series_id = pair.series_id AND span.ts = pair.ts
       AND span.received_at <= pair.received_at AND pair.received_at < span.superseded_at
      CROSS JOIN LATERAL (
        SELECT coalesce(min(after.received_at), pair.stored_at) AS next_from
          FROM bar_revisions AS after
         WHERE after.series_id = pair.series_id AND after.ts = pair.ts AND after.received_at > pair.received_at
      ) AS next
     WHERE pair.received_at < pair.stored_at
  ),
  cut AS (
    UPDATE bar_revisions AS span SET superseded_at = earlier.received_at FROM earlier
     WHERE span.series_id = earlier.series_id AND span.ts = earlier.ts AND span.received_at = earlier.span_from
       AND earlier.span_from < earlier.received_at AND NOT earlier.known
  )
  INSERT INTO bar_revisions (series_id, ts, open, high, low, close, volume, received_at, superseded_at)
  SELECT series_id, ts, old_open, old_high, old_low, old_close, old_volume, stored_at, received_at
    FROM between_confirmations
  UNION ALL
  SELECT series_id, ts, open, high, low, close, volume, received_at, known_until FROM between_confirmations
  UNION ALL
  SELECT series_id, ts, open, high, low, close, volume, received_at, coalesce(span_until, next_from)
    FROM earlier WHERE span_from IS NULL OR (span_from < received_at AND NOT known)`;
