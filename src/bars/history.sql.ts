import { BATCH, batchOf } from './merge.sql.js';

/**
 * Rebuilds the history of the keys in `bars_versions`, whose bars are locked and paired: all that is known of a key is
 * put in order again, what is stored and what came, and written back. The work grows with what came and with the part
 * of the history that is later, not with all of it.
 *
 * A version that was sent with `on_conflict=keep` stands only where no other came before it: one that was received earlier
 * takes its place, and nothing is left of it.
 *
 * A stored version from the future, more than a minute ahead of the server's clock, gives way to a newer one that is
 * not: it is dated just before that one, which so keeps its own time of receipt.
 */

const VALUES = 'open, high, low, close, volume';
const valuesOf = (table: string): string =>
  VALUES.split(', ')
    .map((name) => `${table}.${name}`)
    .join(', ');
const OLD_VALUES = 'old_open, old_high, old_low, old_close, old_volume';

/** A version from the future that is stored, or came again. */
const GIVES_WAY = `(gives_way_at IS NOT NULL AND at > horizon AND at <= part.last_at)`;

/** From here on a time of receipt is in the future. */
const HORIZON = `clock_timestamp() + interval '1 minute'`;

/** Finds whether a stored version is from the future. */
export const FIND_AHEAD = `
  SELECT FROM bars_pairs WHERE greatest(stored_at, confirmed_at) > ${HORIZON} LIMIT 1`;

/** Whether the version that was received then was sent with `on_conflict=keep`. */
const isKept = (table: string, receivedAt: string): string =>
  `coalesce((SELECT true FROM kept_receipts AS kept
              WHERE kept.series_id = ${table}.series_id AND kept.received_at = ${receivedAt}), false)`;

/** Where each version is placed in time when one that is stored is from the future. */
const PLACED_AHEAD = `
  -- Of keys that have a version from the future: the newest of the others, and the first that came after that.
  ahead AS MATERIALIZED (
    SELECT part.series_id, part.ts, present_at, min(new.received_at) AS gives_way_at
      FROM part
      CROSS JOIN LATERAL (
        SELECT greatest(CASE WHEN stored_at <= horizon THEN stored_at END,
                        CASE WHEN confirmed_at <= horizon THEN confirmed_at END,
                        (SELECT max(known.received_at) FROM bar_revisions AS known
                          WHERE known.series_id = part.series_id AND known.ts = part.ts
                            AND known.received_at <= horizon)) AS present_at
      ) AS present
      JOIN bars_versions AS new ON new.series_id = part.series_id AND new.ts = part.ts
     WHERE last_at > horizon AND new.received_at <= horizon
       AND new.received_at > coalesce(present_at, '-infinity')
     GROUP BY part.series_id, part.ts, present_at
  ),
  dated AS (
    SELECT series_id, ts, ${valuesOf('versions')}, came, known, stored, part.fresh, part.drops_kept,
           stored_at, ${OLD_VALUES}, from_at, confirmed_at,
           CASE WHEN gives_way_at IS NULL THEN last_at ELSE coalesce(present_at, '-infinity') END AS last_at,
           count(*) FILTER (WHERE ${GIVES_WAY}) OVER (PARTITION BY series_id, ts) AS dated,
           CASE WHEN ${GIVES_WAY}
             -- The newest comes last. None that is earlier follows one of them.
             THEN greatest(from_at, gives_way_at - interval '1 microsecond'
                    * count(*) FILTER (WHERE ${GIVES_WAY}) OVER (PARTITION BY series_id, ts ORDER BY at DESC))
             ELSE at END AS at
      FROM versions JOIN part USING (series_id, ts) LEFT JOIN ahead USING (series_id, ts)
  ),
  -- Once more one version of each time: a version that was dated again may have the time of another now.
  placed AS (
    SELECT DISTINCT ON (series_id, ts, at) * FROM dated
     ORDER BY series_id, ts, at, open DESC, high DESC, low DESC, close DESC, volume DESC
  )`;

/** The same when none is: nothing is dated again, so that two sorts of all versions are not needed. */
const PLACED = `
  placed AS (
    SELECT series_id, ts, at, ${valuesOf('versions')}, came, known, stored, part.fresh, part.drops_kept,
           stored_at, ${OLD_VALUES}, from_at, confirmed_at, last_at, 0 AS dated
      FROM versions JOIN part USING (series_id, ts)
  )`;

const rebuildWith = (placed: string): string => `
  INSERT INTO bars_rebuilt (series_id, ts, ${VALUES}, received_at, superseded_at, newest_at, from_at, confirmed,
                            replaces, dated, outcome)
  WITH
  -- From the last version before all that came; the spans before it stay as they are.
  part AS MATERIALIZED (
    SELECT pair.series_id, pair.ts, fresh, stored_at, confirmed_at, ${OLD_VALUES}, horizon, first_at, drops_kept,
           CASE WHEN NOT drops_kept THEN greatest(stored_at, confirmed_at)
                WHEN confirmed_at > stored_at THEN confirmed_at ELSE '-infinity' END AS last_at,
           CASE WHEN first_at > stored_at THEN stored_at ELSE coalesce(
             (SELECT max(before.received_at) FROM bar_revisions AS before
               WHERE before.series_id = pair.series_id AND before.ts = pair.ts AND before.received_at < first_at),
             '-infinity') END AS from_at
      FROM (SELECT series_id, ts, min(received_at) AS first_at FROM bars_versions GROUP BY series_id, ts) AS came
      JOIN bars_pairs AS pair USING (series_id, ts)
      CROSS JOIN (SELECT ${HORIZON} AS horizon) AS clock
      CROSS JOIN LATERAL (SELECT first_at <= stored_at AND ${isKept('pair', 'stored_at')} AS drops_kept) AS stored
  ),
  -- What came, what is known, and of that what is stored: all but the last confirmation.
  points AS (
    SELECT series_id, ts, received_at AS at, ${VALUES}, true AS came, false AS known, false AS stored
      FROM bars_versions
    UNION ALL
    SELECT series_id, ts, stored_at, ${OLD_VALUES}, false, true, true FROM part WHERE NOT drops_kept
    UNION ALL
    SELECT series_id, ts, confirmed_at, ${OLD_VALUES}, false, true, false FROM part WHERE confirmed_at > stored_at
    UNION ALL
    SELECT part.series_id, part.ts, span.received_at, ${valuesOf('span')}, false, true, true
      FROM part JOIN LATERAL (
        SELECT * FROM bar_revisions AS earlier
         WHERE earlier.series_id = part.series_id AND earlier.ts = part.ts AND earlier.received_at >= from_at
           AND from_at < stored_at AND NOT (earlier.received_at >= first_at AND ${isKept('earlier', 'earlier.received_at')})
      ) AS span ON true
  ),
  -- One version of each time.
  versions AS (
    SELECT DISTINCT ON (series_id, ts, at)
           series_id, ts, at, ${VALUES}, bool_or(came) AS came, bool_or(known) AS known, bool_or(stored) AS stored
      FROM points GROUP BY series_id, ts, at, ${VALUES}
     ORDER BY series_id, ts, at, open DESC, high DESC, low DESC, close DESC, volume DESC
  ),
  ${placed},
  marked AS (
    SELECT *,
           (open = lag(open) OVER key AND high = lag(high) OVER key AND low = lag(low) OVER key
             AND close = lag(close) OVER key AND volume = lag(volume) OVER key) IS NOT TRUE AS begins,
           lag(at) OVER key IS NULL AS is_first,
           max(at) OVER whole AS newest_at,
           max(at) FILTER (WHERE stored AND NOT came) OVER whole AS others_at
      FROM placed
    WINDOW key AS (PARTITION BY series_id, ts ORDER BY at), whole AS (PARTITION BY series_id, ts)
  )
  SELECT series_id, ts, ${VALUES}, at, lead(at) OVER (PARTITION BY series_id, ts ORDER BY at), newest_at, from_at,
         confirmed_at > at, at <> stored_at OR (${VALUES}) <> (${OLD_VALUES}), dated,
         CASE WHEN drops_kept AND is_first AND (${VALUES}) = (${OLD_VALUES}) THEN NULL
              WHEN came AND NOT known AND (at > last_at OR (at = last_at AND NOT fresh)) THEN 'updated'
              -- By an earlier try whose commit was not heard of, if nothing else was written since.
              WHEN came AND stored AND NOT fresh AND at > coalesce(others_at, '-infinity')
              THEN CASE WHEN is_first THEN 'inserted' ELSE 'updated' END
              -- Counted when it was inserted.
              WHEN fresh AND at = stored_at THEN 'fresh' END
    FROM marked WHERE begins`;

/** Computes the spans: one row a span, the last of a key without an end. */
export const REBUILD = rebuildWith(PLACED);

/** The same when FIND_AHEAD finds something. */
export const REBUILD_AHEAD = rebuildWith(PLACED_AHEAD);

/** Counts, per batch, the versions that came with other values than are stored now and changed nothing. */
export const COUNT_SUPERSEDED = `
  SELECT ${batchOf('came')} AS batch, count(*)::int AS superseded
    FROM bars_versions AS came
    JOIN bars_rebuilt AS current USING (series_id, ts)
   WHERE current.superseded_at IS NULL
     AND (${valuesOf('came')}) <> (${valuesOf('current')})
     AND NOT EXISTS (SELECT FROM bars_rebuilt AS changed
                      WHERE changed.series_id = came.series_id AND changed.ts = came.ts
                        AND changed.received_at = came.received_at AND changed.outcome IS NOT NULL
                        AND (${valuesOf('changed')}) = (${valuesOf('came')}))
   GROUP BY came.received_at`;

/** Takes away the spans that were computed again. */
export const DROP_SPANS = `
  DELETE FROM bar_revisions AS span USING bars_rebuilt AS current
   WHERE current.superseded_at IS NULL
     AND span.series_id = current.series_id AND span.ts = current.ts AND span.received_at >= current.from_at`;

/**
 * Files the spans, and makes the last of each key the stored bar. Per batch: bars `inserted` and `updated`. Of all:
 * `found` and `replaced`, the bars that were and those that were to be replaced; `dated`, the
 * versions from the future that gave way.
 */
export const WRITE_REBUILT = `
  WITH filed AS (
    INSERT INTO bar_revisions (series_id, ts, ${VALUES}, received_at, superseded_at)
    SELECT series_id, ts, ${VALUES}, received_at, superseded_at FROM bars_rebuilt WHERE superseded_at IS NOT NULL
  ),
  found AS (
    UPDATE bars
       SET open = new.open, high = new.high, low = new.low, close = new.close, volume = new.volume,
           received_at = new.received_at
      FROM bars_rebuilt AS new
     WHERE new.superseded_at IS NULL AND new.replaces
       AND bars.series_id = new.series_id AND bars.ts = new.ts AND bars.ts BETWEEN $1 AND $2
    RETURNING 1
  ),
  confirmed AS (
    INSERT INTO bar_confirmations (series_id, ts, confirmed_at)
    SELECT series_id, ts, newest_at FROM bars_rebuilt
     WHERE superseded_at IS NULL AND (newest_at > received_at OR confirmed)
    ON CONFLICT (series_id, ts) DO UPDATE SET confirmed_at = excluded.confirmed_at
  ),
  current AS (SELECT * FROM bars_rebuilt WHERE superseded_at IS NULL)
  SELECT ${BATCH} AS batch,
         (count(*) FILTER (WHERE outcome = 'inserted'))::int AS inserted,
         (count(*) FILTER (WHERE outcome = 'updated'))::int AS updated,
         (SELECT count(*) FROM found)::int AS found,
         (SELECT count(*) FROM current WHERE replaces)::int AS replaced,
         (SELECT coalesce(sum(current.dated), 0) FROM current)::int AS dated
    FROM bars_rebuilt GROUP BY received_at`;
