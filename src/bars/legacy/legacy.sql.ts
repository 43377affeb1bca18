import { LEGACY, type LegacyTable } from '../../database/legacy/legacy.table.js';
import { PRICE_TOLERANCE } from '../decode/row.limits.js';
import { isRoundedSql, valueSql, VALUES } from './legacy.values.sql.js';

/** The same rule as that of bars which are posted. */
const isBelow = (price: string, other: string): string =>
  `(${price} < ${other} AND ${other} - ${price} > ${PRICE_TOLERANCE}::float8 * greatest(abs(${price}), abs(${other})))`;

/** What is known of the copy. Times are text, so that none loses a microsecond. */
export const READ_COPY = `
  SELECT position, listed_at IS NOT NULL AS listed, completed_at IS NOT NULL AS completed,
         rows_read::float8, rows_left::float8, rows_rounded::float8
    FROM legacy_copy`;

/** The rows that the table has, as the planner reckons. */
export const ESTIMATE = `EXPLAIN (FORMAT JSON) SELECT FROM ${LEGACY.adopted}`;

/** Locks the progress, if nobody has gone on since the position $1 was read. */
export const CLAIM = `
  SELECT FROM legacy_copy
   WHERE position IS NOT DISTINCT FROM $1::text[] AND completed_at IS NULL FOR UPDATE`;

export const LIST_SERIES = `
  INSERT INTO legacy_series (provider, symbol, interval)
  SELECT DISTINCT provider::text, symbol::text, interval::text FROM ${LEGACY.adopted}`;

/**
 * Names the series as they are stored. $1 and $2: intervals and their stored forms. $3: providers that the service
 * takes. $4: those of them whose symbols keep their case. $5: how a symbol may be written.
 */
export const NAME_SERIES = `
  UPDATE legacy_series AS series
     SET stored_interval = named.stored,
         stored_symbol = CASE WHEN series.provider = ANY ($4::text[]) THEN series.symbol
                              ELSE upper(series.symbol COLLATE "C") END,
         reason = CASE WHEN NOT series.provider = ANY ($3::text[]) THEN 'invalid-provider'
                       WHEN series.symbol !~ $5 THEN 'invalid-symbol'
                       WHEN named.stored IS NULL THEN 'invalid-interval' END
    FROM unnest($1::text[], $2::text[]) AS named (interval, stored)
   WHERE named.interval = series.interval`;

/** Two instruments may differ in the case of their symbols only. The one that is written as stored has the name. */
export const SET_CONFLICTS_APART = `
  UPDATE legacy_series AS series SET reason = 'symbol-case-conflict'
   WHERE reason IS NULL AND symbol <> stored_symbol
     AND EXISTS (SELECT FROM legacy_series AS other
                  WHERE other.provider = series.provider AND other.stored_symbol = series.stored_symbol
                    AND other.symbol <> series.symbol)`;

export const NOTE_LISTED = `UPDATE legacy_copy SET listed_at = clock_timestamp()`;

/** Reads a page of at most `rows` rows behind a key: their number, the last key, and the years and series of its bars. */
export function readPage({ key, ...table }: LegacyTable, rows: number, isFirst: boolean): string {
  const order = key.map((column) => `row.${column}`).join(', ');
  const last = key.map((column) => `${column} DESC`).join(', ');
  return `
    WITH page AS MATERIALIZED (
      SELECT row.provider, row.symbol, row.interval, row.ts FROM ${LEGACY.adopted} AS row
       ${isFirst ? '' : `WHERE (${order}) > (${keyParameters({ key, ...table }, 1)})`}
       ORDER BY ${order} LIMIT ${rows})
    SELECT (SELECT count(*)::int FROM page) AS rows,
           (SELECT ARRAY[${key.map((column) => `${column}::text`).join(', ')}] FROM page ORDER BY ${last} LIMIT 1) AS last,
           (SELECT coalesce(array_agg(DISTINCT extract(year FROM ts AT TIME ZONE 'UTC')::int), '{}')
              FROM page WHERE ts >= '1800-01-01Z' AND ts < '2201-01-01Z') AS years,
           (SELECT coalesce(array_agg(DISTINCT concat_ws(' ', named.provider, stored_symbol, stored_interval)), '{}')
              FROM (SELECT DISTINCT provider, symbol, interval FROM page) AS page JOIN legacy_series AS named
                ON named.provider = page.provider AND named.symbol = page.symbol AND named.interval = page.interval
             WHERE reason IS NULL) AS names`;
}

function keyParameters({ key, columns }: LegacyTable, first: number): string {
  return key.map((column, index) => `$${first + index}::text::${columns.get(column)?.type}`).join(', ');
}

/** Keys and times are written as text, which must be read as it is meant. */
export const PLAIN_TIMES = `SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'`;

/** The table may be large, or somebody may hold it: what the role's settings allow a statement is for others. */
export const NO_TIME_LIMIT = `SET LOCAL statement_timeout = 0`;

/** `reason`: why the row is not written. */
export const PREPARE_PAGE = `
  ${PLAIN_TIMES};
  SET LOCAL extra_float_digits = 1;
  CREATE TEMPORARY TABLE IF NOT EXISTS legacy_page (
    provider text, symbol text, interval text, series_id int, ts timestamptz,
    open float8, high float8, low float8, close float8, volume float8,
    received_at timestamptz, rounded boolean, reason text
  ) ON COMMIT DELETE ROWS`;

/**
 * Reads the rows from the key behind the first four parameters, unless it is the first page, to the next four; the
 * last two are names and the ids of their series. What was written before the table was taken over was received before.
 */
export function fillPage(table: LegacyTable, isFirst: boolean): string {
  const order = table.key.map((column) => `row.${column}`).join(', ');
  const keys = isFirst ? 0 : table.key.length;
  const names = keys + table.key.length + 1;
  const present = VALUES.map((name) => `row.${name} IS NULL`).join(' OR ');
  return `
    INSERT INTO legacy_page
    SELECT provider, symbol, interval, id, ts, open, high, low, close, volume, received_at, rounded,
           CASE WHEN reason IS NOT NULL THEN reason
                WHEN missing THEN 'missing-field'
                WHEN received_at IS NULL THEN 'no-time-of-receipt'
                WHEN NOT (ts >= '1800-01-01Z' AND ts < '2201-01-01Z') THEN 'ts-out-of-range'
                WHEN num_nonnulls(open, high, low, close, volume) < 5 THEN 'not-finite'
                WHEN volume < 0 THEN 'negative-volume'
                WHEN ${['open', 'low', 'close'].map((other) => isBelow('high', other)).join(' OR ')}
                  OR ${['open', 'close'].map((price) => isBelow(price, 'low')).join(' OR ')} THEN 'prices-inconsistent'
           END
      FROM (
        SELECT row.provider::text, row.symbol::text, row.interval::text, ids.id, row.ts,
               ${VALUES.map((name) => `${valueSql(table, name, 'row')} AS ${name}`).join(', ')},
               CASE WHEN isfinite(coalesce(row.updated_at, row.created_at))
                    THEN least(coalesce(row.updated_at, row.created_at), copy.adopted_at) END AS received_at,
               ${VALUES.map((name) => isRoundedSql(table, name, 'row')).join(' OR ')} AS rounded,
               ${present} AS missing,
               CASE WHEN named.provider IS NULL THEN 'not-listed' ELSE named.reason END AS reason
          FROM ${LEGACY.adopted} AS row
          CROSS JOIN legacy_copy AS copy
          LEFT JOIN legacy_series AS named
            ON named.provider = row.provider AND named.symbol = row.symbol AND named.interval = row.interval
          LEFT JOIN unnest($${names}::text[], $${names + 1}::int[]) AS ids (name, id)
            ON ids.name = concat_ws(' ', named.provider, named.stored_symbol, named.stored_interval)
         WHERE ${isFirst ? '' : `(${order}) > (${keyParameters(table, 1)}) AND`}
               (${order}) <= (${keyParameters(table, keys + 1)})
      ) AS read`;
}

/** Two rows that are one bar now, of one time and with other values: the greater values have it. */
export const LEAVE_TIES = `
  UPDATE legacy_page AS page SET reason = 'same-time'
    FROM legacy_page AS other
   WHERE page.reason IS NULL AND other.reason IS NULL AND other.series_id = page.series_id AND other.ts = page.ts
     AND other.received_at = page.received_at
     AND (other.open, other.high, other.low, other.close, other.volume)
       > (page.open, page.high, page.low, page.close, page.volume)`;

/** A version of that time is stored: it is this row, or has other values and stays. */
export const LEAVE_STORED_TIMES = `
  UPDATE legacy_page AS page
     SET reason = CASE WHEN (page.open, page.high, page.low, page.close, page.volume)
                          = (bar.open, bar.high, bar.low, bar.close, bar.volume) THEN 'stored' ELSE 'same-time' END
    FROM bars AS bar
   WHERE page.reason IS NULL AND bar.series_id = page.series_id AND bar.ts = page.ts
     AND bar.received_at = page.received_at AND bar.ts BETWEEN $1 AND $2`;

/** The same of an earlier version. */
export const LEAVE_FILED_TIMES = LEAVE_STORED_TIMES.replace('FROM bars AS bar', 'FROM bar_revisions AS bar');

/** Of what is to be written. */
export const READ_SPAN = `
  SELECT min(ts)::text AS first, max(ts)::text AS last FROM legacy_page WHERE reason IS NULL`;

export const COUNT_TO_WRITE = `SELECT count(*)::int AS rows FROM legacy_page WHERE reason IS NULL`;

/** One version of each bar. */
export const STAGE = `
  INSERT INTO bars_staging (series_id, ts, open, high, low, close, volume, received_at)
  SELECT DISTINCT ON (series_id, ts) series_id, ts, open, high, low, close, volume, received_at
    FROM legacy_page WHERE reason IS NULL ORDER BY series_id, ts, received_at`;

/** Versions of bars of which the page has several. */
export const STAGE_SEVERAL = `
  INSERT INTO bars_versions (series_id, ts, open, high, low, close, volume, received_at)
  SELECT series_id, ts, open, high, low, close, volume, received_at
    FROM (SELECT *, count(*) OVER (PARTITION BY series_id, ts) AS versions FROM legacy_page WHERE reason IS NULL) AS page
   WHERE versions > 1`;

/** Whether a bar that is staged is stored. */
export const FIND_STORED = `
  SELECT FROM bars_staging AS new JOIN bars AS old USING (series_id, ts) WHERE old.ts BETWEEN $1 AND $2 LIMIT 1`;

/** When none is stored, all are stored at once; usually that is so. */
export const INSERT_NEW = `
  INSERT INTO bars (series_id, ts, open, high, low, close, volume, received_at)
  SELECT series_id, ts, open, high, low, close, volume, received_at FROM bars_staging ORDER BY series_id, ts
  ON CONFLICT (series_id, ts) DO NOTHING`;

export const NOTE_LEFT = `
  INSERT INTO legacy_left AS known (provider, symbol, interval, reason, rows, first_ts, last_ts)
  SELECT provider, symbol, interval, reason, count(*), min(ts), max(ts) FROM legacy_page
   WHERE reason <> 'stored' GROUP BY provider, symbol, interval, reason
  ON CONFLICT (provider, symbol, interval, reason) DO UPDATE
     SET rows = known.rows + excluded.rows, first_ts = least(known.first_ts, excluded.first_ts),
         last_ts = greatest(known.last_ts, excluded.last_ts)`;

/** $1: the last key of the page. */
export const ADVANCE = `
  UPDATE legacy_copy
     SET position = $1::text[], rows_read = rows_read + page.rows, rows_left = rows_left + page.left_rows,
         rows_rounded = rows_rounded + page.rounded
    FROM (SELECT count(*) AS rows, count(*) FILTER (WHERE reason <> 'stored') AS left_rows,
                 count(*) FILTER (WHERE rounded AND coalesce(reason = 'stored', true)) AS rounded
            FROM legacy_page) AS page`;

/** Leaves all of a page that PostgreSQL refuses; a page of one row. */
export const LEAVE_PAGE = `UPDATE legacy_page SET reason = $1`;

export const COMPLETE = `UPDATE legacy_copy SET completed_at = clock_timestamp()`;

export const READ_LEFT = `
  SELECT reason, sum(rows)::float8 AS rows FROM legacy_left GROUP BY reason ORDER BY reason`;
