/**
 * The merge lane, statement by statement. The staging table holds one version of each key at a time. Locks are taken
 * in the order of the key, so that two merges that run at once wait for each other and do not deadlock. $1 and $2 are
 * the first and the last ts that is staged: with them the planner sees which partitions, and how much of them, are
 * touched.
 */

/**
 * Begins the transaction. What a statement reads must be as new as its locks, hence the isolation level. The staging
 * table is made per transaction, because a connection pooler may hand us another session each time. Keys that are
 * merged were written not long ago: their pages are in memory, and looking one up costs less than the planner thinks.
 */
export const BEGIN_MERGE = `
  BEGIN ISOLATION LEVEL READ COMMITTED;
  SET LOCAL random_page_cost = 1.1;
  CREATE TEMPORARY TABLE IF NOT EXISTS bars_staging (
    series_id int, ts timestamptz, open float8, high float8, low float8, close float8, volume float8,
    received_at timestamptz
  ) ON COMMIT DELETE ROWS`;

/** Makes room for the next version of keys that several batches hold. */
export const EMPTY_STAGING = 'TRUNCATE bars_staging';

/** The time of receipt identifies a batch; as Unix microseconds it is the number that Node knows it by. */
const BATCH = '(extract(epoch FROM received_at) * 1000000)::bigint::text';

/** Inserts the bars that are not there; counts them per batch. */
export const INSERT_FRESH = `
  WITH fresh AS (
    INSERT INTO bars (series_id, ts, open, high, low, close, volume, received_at)
    SELECT series_id, ts, open, high, low, close, volume, received_at FROM bars_staging ORDER BY series_id, ts
    ON CONFLICT (series_id, ts) DO NOTHING
    RETURNING received_at
  )
  SELECT ${BATCH} AS batch, count(*)::int AS inserted FROM fresh GROUP BY received_at`;

/**
 * Locks the stored bars that may change, and counts them; what the next statement reads then stays true. A bar that
 * is only confirmed is locked too: otherwise a version received before the confirmation could replace it meanwhile.
 */
export const LOCK_STORED = `
  SELECT count(*)::int AS locked FROM (
    SELECT FROM bars_staging JOIN bars USING (series_id, ts)
     WHERE bars.ts BETWEEN $1 AND $2
     ORDER BY series_id, ts FOR NO KEY UPDATE OF bars
  ) AS stored`;

const PAIR = `
  pair AS MATERIALIZED (
    SELECT new.*,
           old.open AS old_open, old.high AS old_high, old.low AS old_low, old.close AS old_close,
           old.volume AS old_volume, old.received_at AS stored_at, seen.confirmed_at,
           greatest(old.received_at, seen.confirmed_at) AS last_at,
           (new.open = old.open AND new.high = old.high AND new.low = old.low AND new.close = old.close
             AND new.volume = old.volume) AS same,
           -- Replicas may share a time of receipt: then the values decide, so that the order of commits does not.
           (new.received_at > greatest(old.received_at, seen.confirmed_at)
             OR (new.received_at = old.received_at AND (new.open, new.high, new.low, new.close, new.volume)
                                                     > (old.open, old.high, old.low, old.close, old.volume))) AS newer
      FROM bars_staging AS new
      JOIN bars AS old USING (series_id, ts)
      LEFT JOIN bar_confirmations AS seen
        ON seen.series_id = new.series_id AND seen.ts = new.ts AND seen.ts BETWEEN $1 AND $2
     WHERE old.ts BETWEEN $1 AND $2
  )`;

/**
 * Replaces stored bars by later versions with other values, files what they replace, and notes when a bar was
 * received again unchanged. Per batch: `updated`; `written`, bars that carry this batch's values already (just
 * inserted, or by an earlier try whose commit was not heard of); `late`, versions received before the stored one.
 * The locked bars are changed by an upsert, which finds each by its key with less work than a join.
 */
export const APPLY_NEWER = `
  WITH ${PAIR},
  filed AS (
    INSERT INTO bar_revisions (series_id, ts, open, high, low, close, volume, received_at, superseded_at)
    SELECT series_id, ts, old_open, old_high, old_low, old_close, old_volume, stored_at, received_at
      FROM pair WHERE newer AND NOT same
  ),
  changed AS (
    INSERT INTO bars (series_id, ts, open, high, low, close, volume, received_at)
    SELECT series_id, ts, open, high, low, close, volume, received_at FROM pair WHERE newer AND NOT same
    ON CONFLICT (series_id, ts) DO UPDATE
       SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
           volume = excluded.volume, received_at = excluded.received_at
  ),
  confirmed AS (
    INSERT INTO bar_confirmations (series_id, ts, confirmed_at)
    SELECT series_id, ts, received_at FROM pair WHERE newer AND same AND confirmed_at IS NULL
  ),
  confirmed_again AS (
    UPDATE bar_confirmations AS seen SET confirmed_at = pair.received_at FROM pair
     WHERE pair.newer AND pair.same AND pair.confirmed_at IS NOT NULL
       AND seen.series_id = pair.series_id AND seen.ts = pair.ts
  )
  SELECT ${BATCH} AS batch,
         (count(*) FILTER (WHERE newer AND NOT same))::int AS updated,
         (count(*) FILTER (WHERE received_at = stored_at AND same))::int AS written,
         (count(*) FILTER (WHERE received_at < last_at AND received_at <> stored_at))::int AS late
    FROM pair GROUP BY received_at`;

/** Of the bars that carry a batch's values already: those that replaced an earlier version. */
export const COUNT_REPLACED = `
  SELECT (extract(epoch FROM incoming.received_at) * 1000000)::bigint::text AS batch, count(*)::int AS replaced
    FROM bars_staging AS incoming
    JOIN bars USING (series_id, ts, received_at)
    JOIN bar_revisions AS earlier
      ON earlier.series_id = incoming.series_id AND earlier.ts = incoming.ts
     AND earlier.superseded_at = incoming.received_at
   GROUP BY incoming.received_at`;

/**
 * Files versions that were received before the stored one but committed after it, where in time they belong:
 * - between the stored bar's receipt and its last confirmation: what was stored is cut in two around it;
 * - within an earlier version's span: that version is cut short;
 * - before everything known: it lasts until the oldest known version.
 */
export const FILE_LATE = `
  WITH ${PAIR},
  between_confirmations AS (
    SELECT * FROM pair WHERE stored_at < received_at AND received_at < last_at AND NOT same
  ),
  restarted AS (
    UPDATE bars SET received_at = late.last_at FROM between_confirmations AS late
     WHERE bars.series_id = late.series_id AND bars.ts = late.ts
  ),
  earlier AS (
    SELECT pair.*, span.received_at AS span_from, span.superseded_at AS span_until, next.next_from,
           (pair.open = span.open AND pair.high = span.high AND pair.low = span.low AND pair.close = span.close
             AND pair.volume = span.volume) AS known
      FROM pair
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
  SELECT series_id, ts, open, high, low, close, volume, received_at, last_at FROM between_confirmations
  UNION ALL
  SELECT series_id, ts, open, high, low, close, volume, received_at, coalesce(span_until, next_from)
    FROM earlier WHERE span_from IS NULL OR (span_from < received_at AND NOT known)`;
