/**
 * The merge lane, statement by statement. The staging table holds the newest version of each key, `bars_others` the
 * earlier ones. Each staged version is paired with the bar that is stored under its key, and what becomes of it is read
 * from the pair. Locks are taken in the order of the key, so that two merges that run at once wait for each other and do
 * not deadlock. $1 and $2 are the first and the last ts that is staged: with them the planner sees which partitions, and
 * how much of them, are touched.
 *
 * Versions of a key are ordered by time of receipt; of two with the same time, which only replicas can give, the one with
 * the greater values is the later. A version that another of the same time follows was never known to anybody, and is not
 * filed.
 */

export const VALUES = 'open, high, low, close, volume';
export const OLD_VALUES = 'old_open, old_high, old_low, old_close, old_volume';

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
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_others (LIKE bars_staging) ON COMMIT DELETE ROWS;
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_paired (
    several boolean DEFAULT false, newer boolean, fresh boolean, same boolean, greater boolean, place tid, series_id int, ts timestamptz,
    received_at timestamptz, stored_at timestamptz, confirmed_at timestamptz,
    open float8, high float8, low float8, close float8, volume float8,
    old_open float8, old_high float8, old_low float8, old_close float8, old_volume float8
  ) ON COMMIT DELETE ROWS;
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_versions (LIKE bars_staging, given_at timestamptz, known boolean)
    ON COMMIT DELETE ROWS;
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_spans (
    LIKE bars_staging, superseded_at timestamptz, last_at timestamptz, first boolean
  ) ON COMMIT DELETE ROWS`;

/** When the stored bar of a pair was last received. */
const LAST = 'greatest(stored_at, confirmed_at)';

/**
 * The history of the pair's key must be put together again: it has several new versions, or one that was received before the
 * stored one was received last, or one of the same time as the stored one that takes its place.
 */
export const INTRICATE = `(several OR CASE WHEN received_at = stored_at THEN NOT same AND (greater OR confirmed_at IS NOT NULL)
                                        ELSE received_at < ${LAST} END)`;

/** The time of receipt identifies a batch; as Unix microseconds it is the number that Node knows it by. */
const BATCH = '(extract(epoch FROM received_at) * 1000000)::bigint::text';

/**
 * Locks the stored bars and pairs them with what is staged for their keys. A bar that is only confirmed is locked too:
 * otherwise a version received before the confirmation could replace it meanwhile. `place` is where the bar is stored
 * within its partition; while it is locked it stays there. `newer`: the version is later than all that is known of its key;
 * a column, as the planner would take few to be so and go through all places for each. `fresh`: this transaction has inserted it. `confirmed_at`, when
 * the stored bar was received again, is filled in by READ_CONFIRMATIONS.
 */
export const PAIR_STORED = `
  INSERT INTO bars_paired (newer, fresh, same, greater, place, series_id, ts, received_at, stored_at, ${VALUES}, ${OLD_VALUES})
  SELECT new.received_at > old.received_at, old.xmin = pg_current_xact_id()::xid,
         new.open = old.open AND new.high = old.high AND new.low = old.low AND new.close = old.close
           AND new.volume = old.volume,
         (new.open, new.high, new.low, new.close, new.volume) > (old.open, old.high, old.low, old.close, old.volume),
         old.ctid, series_id, ts, new.received_at, old.received_at,
         new.open, new.high, new.low, new.close, new.volume, old.open, old.high, old.low, old.close, old.volume
    FROM bars_staging AS new JOIN bars AS old USING (series_id, ts)
   WHERE old.ts BETWEEN $1 AND $2
   ORDER BY series_id, ts FOR NO KEY UPDATE OF old`;

/** Leaves in the staging table what is not paired yet. */
export const UNSTAGE_PAIRED = `
  DELETE FROM bars_staging AS new USING bars_paired AS pair
   WHERE pair.series_id = new.series_id AND pair.ts = new.ts`;

/** Inserts the bars that are not there. */
export const INSERT_FRESH = `
  INSERT INTO bars (series_id, ts, ${VALUES}, received_at)
  SELECT series_id, ts, ${VALUES}, received_at FROM bars_staging ORDER BY series_id, ts
  ON CONFLICT (series_id, ts) DO NOTHING`;

/** Marks the pairs whose keys have other versions in this merge. */
export const MARK_SEVERAL = `
  UPDATE bars_paired AS pair SET several = true
    FROM (SELECT DISTINCT series_id, ts FROM bars_others) AS other
   WHERE other.series_id = pair.series_id AND other.ts = pair.ts`;

/** Reads when the paired bars were confirmed: after they are locked, for then nobody else confirms them. */
export const READ_CONFIRMATIONS = `
  UPDATE bars_paired AS pair
     SET confirmed_at = seen.confirmed_at,
         newer = newer AND (received_at > seen.confirmed_at OR (received_at = seen.confirmed_at AND greater))
    FROM bar_confirmations AS seen
   WHERE seen.series_id = pair.series_id AND seen.ts = pair.ts AND seen.ts BETWEEN $1 AND $2
     AND seen.confirmed_at > pair.stored_at`;

/**
 * Replaces stored bars by later versions with other values, files what they replace, and notes when a bar was received
 * again unchanged. Per batch: `inserted` and `updated`; `earlier`, bars that carry this batch's values already, since the
 * commit of an earlier try was not heard of; `intricate`, what is left to history.sql.ts. `found` counts the bars of
 * all batches that were at their place.
 */
export const APPLY_LATER = `
  WITH filed AS (
    INSERT INTO bar_revisions AS old (series_id, ts, ${VALUES}, received_at, superseded_at)
    SELECT series_id, ts, ${OLD_VALUES}, stored_at, received_at
      FROM bars_paired WHERE newer AND NOT same AND NOT several
    -- Only an earlier version of this service filed one with an empty span, when two replicas had the same time.
    ON CONFLICT (series_id, ts, received_at) DO UPDATE
       SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
           volume = excluded.volume, superseded_at = excluded.superseded_at
  ),
  found AS (
    UPDATE bars
       SET open = pair.open, high = pair.high, low = pair.low, close = pair.close, volume = pair.volume,
           received_at = pair.received_at
      FROM bars_paired AS pair
     WHERE newer AND NOT same AND NOT several
       -- All places at once: to go to one at a time asks the system for the size of the table each time.
       AND bars.ctid = ANY (ARRAY (SELECT place FROM bars_paired WHERE newer AND NOT same AND NOT several))
       -- Another partition, or another pair, has another bar at that place.
       AND bars.series_id = pair.series_id AND bars.ts = pair.ts AND bars.ts BETWEEN $1 AND $2
    RETURNING 1
  ),
  confirmed AS (
    INSERT INTO bar_confirmations (series_id, ts, confirmed_at)
    SELECT series_id, ts, received_at FROM bars_paired
     WHERE same AND NOT several AND received_at > ${LAST} AND confirmed_at IS NULL
    -- A confirmation of a version before the stored one may be left.
    ON CONFLICT (series_id, ts) DO UPDATE SET confirmed_at = excluded.confirmed_at
  ),
  confirmed_again AS (
    UPDATE bar_confirmations AS seen SET confirmed_at = pair.received_at FROM bars_paired AS pair
     WHERE same AND NOT several AND pair.received_at > pair.confirmed_at
       AND seen.series_id = pair.series_id AND seen.ts = pair.ts
  )
  SELECT ${BATCH} AS batch,
         (count(*) FILTER (WHERE fresh AND NOT several))::int AS inserted,
         (count(*) FILTER (WHERE newer AND NOT same AND NOT several))::int AS updated,
         (count(*) FILTER (WHERE received_at = stored_at AND same AND NOT fresh AND NOT several))::int AS earlier,
         (count(*) FILTER (WHERE ${INTRICATE}))::int AS intricate,
         (SELECT count(*) FROM found)::int AS found
    FROM bars_paired GROUP BY received_at`;

/** Of the bars that carry a batch's values already: those that replaced an earlier version. */
export const COUNT_REPLACED = `
  SELECT (extract(epoch FROM pair.received_at) * 1000000)::bigint::text AS batch, count(*)::int AS replaced
    FROM bars_paired AS pair
    JOIN bar_revisions AS earlier
      ON earlier.series_id = pair.series_id AND earlier.ts = pair.ts AND earlier.superseded_at = pair.received_at
   WHERE pair.received_at = stored_at AND same AND NOT fresh AND NOT several
   GROUP BY pair.received_at`;
