import { INTRICATE, OLD_VALUES, VALUES } from './merge.sql.js';

/**
 * How the history of a key is put together again, statement by statement, when a merge brings several versions of it, or one
 * that was received before the stored one. All that is known and all that is new is laid out in order; what results are
 * spans that meet, none of them empty, of which the last is the stored bar. The number of statements does not depend on how
 * many versions there are.
 */

/** The greater values first. */
const GREATEST_FIRST = VALUES.replaceAll(/\w+/g, (value) => `${value} DESC`);

/** A time of receipt beyond it was given by a wrong clock. */
const FUTURE = `statement_timestamp() + interval '1 minute'`;

/** Lets the planner know how much there is: it would go through one table for each row of another. */
export const ANALYZE_MERGE = 'ANALYZE bars_paired, bars_others';
export const ANALYZE_HISTORY = 'ANALYZE bars_versions, bars_spans';

/**
 * Lays out all versions of the keys concerned: the stored one, the new ones, when the stored one was confirmed, and the
 * revisions from the last one before all new versions on; what was before it stays as it is. `given_at` is the time of
 * receipt that a version came with.
 */
export const LAY_OUT_VERSIONS = `
  INSERT INTO bars_versions (series_id, ts, ${VALUES}, received_at, given_at, known)
  WITH keys AS MATERIALIZED (
    SELECT * FROM bars_paired WHERE ${INTRICATE}
  ),
  begun AS (
    SELECT series_id, ts, least(received_at, other.first) AS first_new
      FROM keys LEFT JOIN (
        SELECT series_id, ts, min(received_at) AS first FROM bars_others GROUP BY series_id, ts
      ) AS other USING (series_id, ts)
  ),
  versions AS (
    SELECT series_id, ts, ${OLD_VALUES}, stored_at, NOT fresh FROM keys
    UNION ALL
    SELECT series_id, ts, ${OLD_VALUES}, confirmed_at, true FROM keys WHERE confirmed_at IS NOT NULL
    UNION ALL
    SELECT series_id, ts, ${VALUES}, received_at, false FROM keys WHERE NOT fresh
    UNION ALL
    SELECT series_id, ts, ${VALUES}, received_at, false FROM bars_others
    UNION ALL
    SELECT old.series_id, old.ts, old.open, old.high, old.low, old.close, old.volume, old.received_at, true
      FROM begun
     CROSS JOIN LATERAL (
       SELECT max(received_at) AS at FROM bar_revisions AS old
        WHERE old.series_id = begun.series_id AND old.ts = begun.ts AND old.received_at < begun.first_new
     ) AS before
      JOIN bar_revisions AS old
        ON old.series_id = begun.series_id AND old.ts = begun.ts
       AND old.received_at >= coalesce(before.at, '-infinity')
  )
  SELECT series_id, ts, ${OLD_VALUES}, stored_at, stored_at, known
    FROM versions AS version (series_id, ts, ${OLD_VALUES}, stored_at, known)`;

/**
 * A version from the future, which a wrong clock gave out, would win until then. When a new version comes with a right time
 * that is later than all others with a right time, those from the future are dated just before it, in their order.
 * @returns the rows changed are the versions that were dated again
 */
export const DATE_FUTURE_AGAIN = `
  WITH timed AS (
    SELECT series_id, ts, received_at, known,
           max(received_at) FILTER (WHERE known AND received_at <= ${FUTURE}) OVER (PARTITION BY series_id, ts) AS last_known
      FROM bars_versions
  ),
  next AS (
    SELECT series_id, ts, min(received_at) AS at FROM timed
     WHERE NOT known AND received_at <= ${FUTURE} AND received_at > coalesce(last_known, '-infinity')
     GROUP BY series_id, ts
  ),
  dated AS (
    SELECT version.ctid AS place,
           next.at - interval '1 microsecond' * dense_rank() OVER (
             PARTITION BY series_id, ts ORDER BY received_at DESC, ${GREATEST_FIRST}) AS at
      FROM bars_versions AS version JOIN next USING (series_id, ts)
     WHERE known AND received_at > ${FUTURE}
  )
  UPDATE bars_versions AS version SET received_at = dated.at FROM dated WHERE version.ctid = dated.place`;

/**
 * Makes spans of the versions: of those with one time of receipt the one with the greatest values, and of equal ones that
 * follow each other one span. `last_at` is when its values were last received; `first` that no version was before it.
 */
export const MAKE_SPANS = `
  INSERT INTO bars_spans (series_id, ts, ${VALUES}, received_at, last_at, superseded_at, first)
  WITH single AS (
    SELECT DISTINCT ON (series_id, ts, received_at) series_id, ts, ${VALUES}, received_at
      FROM bars_versions ORDER BY series_id, ts, received_at, ${GREATEST_FIRST}
  ),
  marked AS (
    SELECT *, ARRAY[${VALUES}] IS DISTINCT FROM lag(ARRAY[${VALUES}]) OVER in_order AS differs
      FROM single WINDOW in_order AS (PARTITION BY series_id, ts ORDER BY received_at)
  ),
  numbered AS (
    SELECT *, count(*) FILTER (WHERE differs) OVER (PARTITION BY series_id, ts ORDER BY received_at) AS span
      FROM marked
  )
  SELECT series_id, ts, ${VALUES}, min(received_at), max(received_at),
         lead(min(received_at)) OVER (PARTITION BY series_id, ts ORDER BY span), span = 1
    FROM numbered GROUP BY series_id, ts, span, ${VALUES}`;

/** Removes the revisions that were laid out. */
export const REMOVE_REVISIONS = `
  DELETE FROM bar_revisions AS old USING bars_versions AS version
   WHERE version.known AND old.series_id = version.series_id AND old.ts = version.ts
     AND old.received_at = version.given_at`;

/** Files all spans but the last of each key. */
export const FILE_SPANS = `
  INSERT INTO bar_revisions (series_id, ts, ${VALUES}, received_at, superseded_at)
  SELECT series_id, ts, ${VALUES}, received_at, superseded_at FROM bars_spans WHERE superseded_at IS NOT NULL`;

/** Stores the last span of each key. $1 and $2 as in merge.sql.ts. */
export const STORE_LAST_SPANS = `
  UPDATE bars
     SET open = span.open, high = span.high, low = span.low, close = span.close, volume = span.volume,
         received_at = span.received_at
    FROM bars_spans AS span
   WHERE span.superseded_at IS NULL
     AND bars.series_id = span.series_id AND bars.ts = span.ts AND bars.ts BETWEEN $1 AND $2`;

/** Notes when the values of the last spans were received again. */
export const CONFIRM_LAST_SPANS = `
  INSERT INTO bar_confirmations (series_id, ts, confirmed_at)
  SELECT series_id, ts, last_at FROM bars_spans WHERE superseded_at IS NULL AND last_at > received_at
  ON CONFLICT (series_id, ts) DO UPDATE SET confirmed_at = excluded.confirmed_at`;

/** Forgets confirmations of what is no longer stored. */
export const FORGET_CONFIRMATIONS = `
  DELETE FROM bar_confirmations AS seen USING bars_spans AS span
   WHERE span.superseded_at IS NULL AND span.last_at = span.received_at
     AND seen.series_id = span.series_id AND seen.ts = span.ts`;

/**
 * Per batch: new versions that begin a span, and were the latest when they came, or were written by an earlier try of the
 * same batch. The first version of a key is \`inserted\`, others are \`updated\`.
 */
export const COUNT_SPANS = `
  WITH known AS (
    SELECT series_id, ts, max(received_at) AS last FROM bars_versions WHERE known GROUP BY series_id, ts
  ),
  new AS (
    SELECT series_id, ts, ${VALUES}, received_at, given_at, bool_or(known) AS written
      FROM bars_versions GROUP BY series_id, ts, ${VALUES}, received_at, given_at HAVING NOT bool_and(known)
  )
  SELECT (extract(epoch FROM new.given_at) * 1000000)::bigint::text AS batch,
         (count(*) FILTER (WHERE span.first AND (written OR known.last IS NULL)))::int AS inserted,
         (count(*) FILTER (WHERE NOT (span.first AND (written OR known.last IS NULL))))::int AS updated
    FROM new
    JOIN bars_spans AS span USING (series_id, ts, received_at, ${VALUES})
    LEFT JOIN known USING (series_id, ts)
   WHERE written OR known.last IS NULL OR new.received_at >= known.last
   GROUP BY new.given_at`;
