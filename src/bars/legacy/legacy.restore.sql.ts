import { LEGACY, type LegacyTable } from '../../database/legacy/legacy.table.js';
import { fitsSql, legacyValueSql, textFitsSql, valueSql, VALUES } from './legacy.values.sql.js';

/** Services on this database; a pooler keeps the names of services that have ended. */
export const FIND_SERVICES = `
  SELECT DISTINCT application_name AS name, coalesce(host(client_addr), 'this machine') AS host
    FROM pg_stat_activity
   WHERE datname = current_database() AND application_name LIKE 'market-data-store%' AND pid <> pg_backend_pid()
   ORDER BY name, host`;

/** Nobody migrates, writes bars or reads the earlier table until the end of the transaction. */
export const LOCK_TABLES = `LOCK TABLE bars, series IN SHARE MODE; LOCK TABLE ${LEGACY.adopted} IN ACCESS EXCLUSIVE MODE`;

/** The bars are sorted and hashed once, by nobody else at this time. */
export const PREPARE_RESTORE = `
  SET LOCAL work_mem = '256MB';
  SET LOCAL jit = off;
  SET LOCAL extra_float_digits = 1`;

/**
 * Finds the bars whose values the earlier table lacks, each under the name that the table has for its series: the
 * stored one, or else the first of the others. A version that was written into the earlier table later stays there, and so
 * does a row that is not copied where a bar was sent with `on_conflict=keep`.
 */
export function findChanged(table: LegacyTable): string {
  const differs = VALUES.map((name) => `${valueSql(table, name, 'old')} IS DISTINCT FROM bar.${name}`).join(
    ' OR ',
  );
  const equals = VALUES.map((name) => `${valueSql(table, name, 'other')} = bar.${name}`).join(' AND ');
  const fits = [
    ...VALUES.map((name) => fitsSql(table, name, name)),
    ...['provider', 'symbol', 'interval'].map((name) => textFitsSql(table, name, name)),
  ].join(' AND ');
  const rounds = VALUES.map((name) => `(${legacyValueSql(table, name, name)})::float8 <> ${name}`).join(
    ' OR ',
  );
  return `
    CREATE TEMPORARY TABLE legacy_changed ON COMMIT DROP AS
    WITH named AS (
      SELECT provider, stored_symbol, stored_interval, count(*) > 1 AS has_others,
             (array_agg(symbol ORDER BY symbol <> stored_symbol OR interval <> stored_interval, symbol, interval))[1] AS symbol,
             (array_agg(interval ORDER BY symbol <> stored_symbol OR interval <> stored_interval, symbol, interval))[1] AS interval
        FROM legacy_series WHERE reason IS NULL GROUP BY provider, stored_symbol, stored_interval
    ),
    target AS (
      SELECT series.id, series.provider, series.symbol AS stored_symbol, series.interval AS stored_interval,
             coalesce(named.symbol, series.symbol) AS symbol, coalesce(named.interval, series.interval) AS interval,
             coalesce(has_others, false) AS has_others
        FROM series LEFT JOIN named
          ON named.provider = series.provider AND stored_symbol = series.symbol AND stored_interval = series.interval
    ),
    changed AS (
      SELECT target.provider, target.symbol, target.interval, bar.ts,
             bar.open, bar.high, bar.low, bar.close, bar.volume, bar.received_at
        FROM bars AS bar
        JOIN target ON target.id = bar.series_id
        CROSS JOIN (SELECT coalesce(max(adopted_at), 'infinity') AS adopted_at FROM legacy_copy) AS copy
        LEFT JOIN ${LEGACY.adopted} AS old
          ON old.provider = target.provider AND old.symbol = target.symbol AND old.interval = target.interval
             AND old.ts = bar.ts
       WHERE (old.provider IS NULL OR (
               (${differs})
               AND bar.received_at > least(coalesce(old.updated_at, old.created_at, '-infinity'), copy.adopted_at)
               AND NOT EXISTS (SELECT FROM kept_receipts AS kept
                                WHERE kept.series_id = bar.series_id AND kept.received_at = bar.received_at)))
         AND NOT (target.has_others AND EXISTS (
               SELECT FROM legacy_series AS spelled JOIN ${LEGACY.adopted} AS other
                   ON other.provider = spelled.provider AND other.symbol = spelled.symbol
                      AND other.interval = spelled.interval
                WHERE spelled.provider = target.provider AND spelled.stored_symbol = target.stored_symbol
                  AND spelled.stored_interval = target.stored_interval AND other.ts = bar.ts AND ${equals}))
    ),
    judged AS (SELECT *, ${fits} AS fits FROM changed)
    SELECT *, CASE WHEN fits THEN ${rounds} ELSE false END AS rounds FROM judged`;
}

export const COUNT_CHANGED = `
  SELECT count(*) FILTER (WHERE fits)::float8 AS written, count(*) FILTER (WHERE rounds)::float8 AS rounded
    FROM legacy_changed`;

/** Bars that no column of the earlier table can hold. */
export const LIST_UNFIT = `
  SELECT provider, symbol, interval, count(*)::float8 AS rows, min(ts) AS first, max(ts) AS last
    FROM legacy_changed WHERE NOT fits GROUP BY provider, symbol, interval ORDER BY provider, symbol, interval`;

/** `created_at` of a row that is there stays. */
export function writeChanged(table: LegacyTable): string {
  return `
    INSERT INTO ${LEGACY.adopted} (provider, symbol, interval, ts, ${VALUES.join(', ')}, created_at, updated_at)
    SELECT provider, symbol, interval, ts, ${VALUES.map((name) => legacyValueSql(table, name, name)).join(', ')},
           received_at, received_at
      FROM legacy_changed WHERE fits ORDER BY provider, symbol, interval, ts
    ON CONFLICT (provider, symbol, interval, ts) DO UPDATE
       SET ${VALUES.map((name) => `${name} = excluded.${name}`).join(', ')}, updated_at = excluded.updated_at`;
}

/** The earlier table has its name again. What the service stored stays, and with it the history of the bars. */
export const GIVE_BACK_NAME = `
  DROP VIEW ${LEGACY.name};
  ALTER TABLE ${LEGACY.adopted} RENAME TO ${LEGACY.name};
  DELETE FROM legacy_copy;
  DELETE FROM legacy_series;
  DELETE FROM legacy_left`;
