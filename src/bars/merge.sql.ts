/**
 * The merge lane, statement by statement. The staging table holds one version of each key; each is paired with the bar
 * that is stored under its key, and what becomes of it is read from the pair. A version that is newer than all that is
 * known of its key is applied at once; where it is not, or where several versions of a key came, the history is rebuilt
 * (history.sql.ts). Locks are taken in the order of the key, so that two merges that run at once wait for each other
 * and do not deadlock. $1 and $2 are the first and the last ts that is staged: with them the planner sees which
 * partitions, and how much of them, are touched.
 *
 * The order of versions is (received_at, then open, high, low, close, volume). Of two of the same time only the greater
 * is kept: the span of the other would be empty.
 */

/** The columns of a version, which the tables of the merge have too. */
const VERSION = `series_id int, ts timestamptz, open float8, high float8, low float8, close float8, volume float8,
  received_at timestamptz`;

/**
 * At the beginning of the transaction, which is READ COMMITTED: what a statement reads must be as new as its locks. The
 * tables are made per transaction, because a pooler may hand us another session each time, or one of another release:
 * tables with other columns need other names. Bars that are merged were written not long ago: their pages are in
 * memory. With the planner's idea of a disk it would read a whole table where an index leads to what is wanted. Compiling
 * takes longer than it saves.
 */
export const PREPARE_MERGE = `
  SET LOCAL random_page_cost = 0.1;
  SET LOCAL jit = off;
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_staging (${VERSION}) ON COMMIT DELETE ROWS;
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_pairs (
    newer boolean, same boolean, fresh boolean, several boolean, place tid, series_id int, ts timestamptz,
    received_at timestamptz, stored_at timestamptz, confirmed_at timestamptz,
    open float8, high float8, low float8, close float8, volume float8,
    old_open float8, old_high float8, old_low float8, old_close float8, old_volume float8
  ) ON COMMIT DELETE ROWS`;

/** When there is something to rebuild: tables that are there cost each commit a little. */
export const PREPARE_REBUILD = `
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_versions (${VERSION}) ON COMMIT DELETE ROWS;
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_rebuilt (
    ${VERSION}, superseded_at timestamptz, newest_at timestamptz, from_at timestamptz, confirmed boolean,
    replaces boolean, dated int, outcome text
  ) ON COMMIT DELETE ROWS`;

/** The time of receipt identifies a batch; as Unix microseconds it is the number that Node knows it by. */
export const batchOf = (table: string): string =>
  `(extract(epoch FROM ${table}.received_at) * 1000000)::bigint::text`;
export const BATCH = '(extract(epoch FROM received_at) * 1000000)::bigint::text';

/**
 * Of a pair: the very version is stored, or it was the last confirmation. There is nothing to do. A confirmation that is
 * earlier than the stored version was of another one.
 */
const KNOWN = 'same AND received_at IN (stored_at, greatest(stored_at, confirmed_at))';
/** Of a pair: the version is not the newest, and not known. */
const LATE = `NOT several AND NOT newer AND NOT (${KNOWN})`;

/**
 * Locks the stored bars and pairs them with what is staged for their keys. A bar that is only confirmed is locked too:
 * otherwise a version received before the confirmation could replace it meanwhile. `place` is where the bar is stored
 * within its partition; while it is locked it stays there. `fresh`: this transaction has inserted it. `confirmed_at`,
 * when the stored bar was received again, is filled in by READ_CONFIRMATIONS.
 */
export const PAIR_STORED = `
  INSERT INTO bars_pairs (newer, same, fresh, several, place, series_id, ts, received_at, stored_at,
                          open, high, low, close, volume, old_open, old_high, old_low, old_close, old_volume)
  SELECT new.received_at > old.received_at,
         new.open = old.open AND new.high = old.high AND new.low = old.low AND new.close = old.close
           AND new.volume = old.volume,
         old.xmin = pg_current_xact_id()::xid, false,
         old.ctid, series_id, ts, new.received_at, old.received_at,
         new.open, new.high, new.low, new.close, new.volume, old.open, old.high, old.low, old.close, old.volume
    FROM bars_staging AS new JOIN bars AS old USING (series_id, ts)
   WHERE old.ts BETWEEN $1 AND $2
   ORDER BY series_id, ts FOR NO KEY UPDATE OF old`;

/** Leaves in the staging table what is not paired yet. */
export const UNSTAGE_PAIRED = `
  DELETE FROM bars_staging AS new USING bars_pairs AS pair
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
  UPDATE bars_pairs AS pair
     SET confirmed_at = seen.confirmed_at, newer = newer AND received_at > seen.confirmed_at
    FROM bar_confirmations AS seen
   WHERE seen.series_id = pair.series_id AND seen.ts = pair.ts AND seen.ts BETWEEN $1 AND $2`;

/** Leaves the keys of which several versions came to the rebuilding. */
export const SET_SEVERAL_APART = `
  UPDATE bars_pairs AS pair SET several = true, newer = false
    FROM (SELECT DISTINCT series_id, ts FROM bars_versions) AS hot
   WHERE hot.series_id = pair.series_id AND hot.ts = pair.ts`;

/**
 * Replaces stored bars by later versions with other values, files what they replace, and notes when a bar was
 * received again unchanged. Per batch: `updated`; `written`, bars that carry this batch's values already, by an earlier
 * try whose commit was not heard of; `late`, versions that are left to the rebuilding. `found` counts the bars of all
 * batches that were at their place.
 */
export const APPLY_NEWER = `
  WITH filed AS (
    INSERT INTO bar_revisions (series_id, ts, open, high, low, close, volume, received_at, superseded_at)
    SELECT series_id, ts, old_open, old_high, old_low, old_close, old_volume, stored_at, received_at
      FROM bars_pairs WHERE newer AND NOT same
  ),
  found AS (
    UPDATE bars
       SET open = pair.open, high = pair.high, low = pair.low, close = pair.close, volume = pair.volume,
           received_at = pair.received_at
      FROM bars_pairs AS pair
     WHERE newer AND NOT same
       -- All places at once: to go to one at a time asks the system for the size of the table each time.
       AND bars.ctid = ANY (ARRAY (SELECT place FROM bars_pairs WHERE newer AND NOT same))
       -- Another partition, or another pair, has another bar at that place.
       AND bars.series_id = pair.series_id AND bars.ts = pair.ts AND bars.ts BETWEEN $1 AND $2
    RETURNING 1
  ),
  confirmed AS (
    INSERT INTO bar_confirmations (series_id, ts, confirmed_at)
    SELECT series_id, ts, received_at FROM bars_pairs WHERE newer AND same AND confirmed_at IS NULL
  ),
  confirmed_again AS (
    UPDATE bar_confirmations AS seen SET confirmed_at = pair.received_at FROM bars_pairs AS pair
     WHERE newer AND same AND pair.confirmed_at IS NOT NULL
       AND seen.series_id = pair.series_id AND seen.ts = pair.ts
  )
  SELECT ${BATCH} AS batch,
         (count(*) FILTER (WHERE newer AND NOT same))::int AS updated,
         (count(*) FILTER (WHERE NOT fresh AND NOT several AND same AND received_at = stored_at))::int AS written,
         (count(*) FILTER (WHERE ${LATE}))::int AS late,
         (SELECT count(*) FROM found)::int AS found
    FROM bars_pairs GROUP BY received_at`;

/** Of the bars that an earlier try wrote: those that replaced an earlier version. */
export const COUNT_REPLACED = `
  SELECT ${batchOf('pair')} AS batch, count(*)::int AS replaced
    FROM bars_pairs AS pair
    JOIN bar_revisions AS earlier
      ON earlier.series_id = pair.series_id AND earlier.ts = pair.ts AND earlier.superseded_at = pair.received_at
   WHERE NOT fresh AND NOT several AND same AND pair.received_at = stored_at
   GROUP BY pair.received_at`;

/** Leaves all keys to the rebuilding. */
export const SET_ALL_APART = `UPDATE bars_pairs SET newer = false, same = false`;

/** Puts what came late beside the versions of the keys that came several times. */
export const COLLECT_LATE = `
  INSERT INTO bars_versions (series_id, ts, open, high, low, close, volume, received_at)
  SELECT series_id, ts, open, high, low, close, volume, received_at FROM bars_pairs WHERE ${LATE}`;
