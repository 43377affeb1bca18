import { ADVISORY_LOCK } from '../database/advisory.locks.js';

/**
 * What the content of `series` is known by: a version that every change replaces, the table and its file, and its
 * triggers as they were made or last switched. All that may change the meaning of an id changes it: another server or
 * database, an older copy, a restore, TRUNCATE, an edit. NULL, which proves nothing, when the version is gone.
 */
const CONTENT = `
  (SELECT version || ' ' || 'series'::regclass::oid || ' ' || pg_relation_filenode('series') || ' ' || (
            SELECT string_agg(oid || ':' || xmin || ':' || tgenabled::text, ' ' ORDER BY oid)
              FROM pg_trigger WHERE tgrelid = 'series'::regclass)
     FROM series_version)`;

/** Keeps series from being changed or deleted until the end of the transaction. In the order in which TRUNCATE locks. */
export const LOCK_SERIES = `
  LOCK TABLE series IN ACCESS SHARE MODE;
  SELECT pg_advisory_xact_lock_shared(${ADVISORY_LOCK.series});`;

/**
 * Begins a transaction that writes bars. A commit that a crash of the server may lose is none: what is committed leaves
 * the spool. The content is read by a statement of its
 * own, whose snapshot is taken after the locks: from then on no series is changed or deleted, only added.
 */
export const BEGIN_PROVEN = `
  BEGIN ISOLATION LEVEL READ COMMITTED;
  SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
  ${LOCK_SERIES}
  SELECT ${CONTENT} AS content`;

/** Lets one transaction at a time add series. */
export const LOCK_VERSION = `SELECT FROM series_version FOR UPDATE`;

/** The ids of the keys in $1, $2, $3, in order, 0 where there is none; and the content, of the same snapshot. */
export const READ_IDS = `
  SELECT ${CONTENT} AS content, string_agg(coalesce(series.id, 0)::text, ',' ORDER BY place) AS ids
    FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS wanted (provider, symbol, interval, place)
    LEFT JOIN series USING (provider, symbol, interval)`;

/**
 * No new series gets an id that bars have: somebody may have emptied `series` and restarted its sequence, and left the
 * bars.
 */
export const SKIP_TAKEN_IDS = `
  SELECT count(nextval('series_id_seq'))
    FROM generate_series(coalesce(pg_sequence_last_value('series_id_seq'), 0) + 1,
                         greatest((SELECT max(series_id) FROM bars), (SELECT max(series_id) FROM bar_revisions)))`;

/**
 * Adds the keys in $1, $2, $3, and gives their ids in order, 0 for one that was there. Sorted, so that two writers creating
 * the same series wait for each other in one order and cannot deadlock.
 */
export const ADD_SERIES = `
  WITH wanted AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
      WITH ORDINALITY AS wanted (provider, symbol, interval, place)),
  added AS (
    INSERT INTO series (provider, symbol, interval)
    SELECT provider, symbol, interval FROM wanted ORDER BY provider, symbol, interval
    ON CONFLICT DO NOTHING
    RETURNING id, provider, symbol, interval)
  SELECT string_agg(coalesce(added.id, 0)::text, ',' ORDER BY place) AS ids
    FROM wanted LEFT JOIN added USING (provider, symbol, interval)`;
