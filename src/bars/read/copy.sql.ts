import { escapeLiteral } from 'pg';

import { formatTimestamp } from '../timestamp.js';
import type { BarPosition, BarQuery } from './bar.query.js';
import type { StoredSeries } from './series.pages.js';

/** What the encoder takes, in this order. */
const ENCODED_COLUMNS = 'series_id, ts, open, high, low, close, volume';

/** One snapshot for the ids of series and the bars under them. */
export const BEGIN_READ = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/**
 * One snapshot for the whole export. Compiling takes longer than it saves; sorting in memory spares the disk; with
 * disks whose heads move, which PostgreSQL expects, it would read the whole table for a few series.
 */
export const BEGIN_EXPORT = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
  SET LOCAL jit = off; SET LOCAL work_mem = '32MB'; SET LOCAL random_page_cost = 1.1`;

/**
 * The COPY of the bars of some series, which are sorted by symbol: all of them, or the first `limit` behind
 * `position`. One series is read along the primary key, without sorting. Of several, a limit is taken from each along
 * the key, so that sorting sees no more than those; without it PostgreSQL finds out whether an index or one pass over
 * the table is faster.
 */
export function copyBars(
  series: readonly StoredSeries[],
  query: BarQuery,
  limit: number,
  position?: BarPosition,
): string {
  const ids = series.map(idOf);
  const range = rangeOf(query, position);
  const first = limit === Infinity ? '' : ` LIMIT ${limit}`;
  const byTime = `ORDER BY ts ${query.sort}`;
  if (ids.length === 1) return copy(`bars WHERE series_id = ${ids.join()}${range} ${byTime}${first}`);
  const bars =
    limit === Infinity
      ? `JOIN bars ON series_id = id${range}`
      : `CROSS JOIN LATERAL (SELECT * FROM bars WHERE series_id = id${range} ${byTime}${first}) AS bar`;
  return copy(`unnest('{${ids.join()}}'::int[], '{${ranksOf(series).join()}}'::int[]) AS wanted (id, rank)
    ${bars} ORDER BY rank, ts ${query.sort}, id${first}`);
}

/** The COPY of the newest bar of each series, in their order; at most `limit`. */
export function copyLatest(series: readonly StoredSeries[], limit: number): string {
  const ids = series.map(idOf);
  const list = ids.length === 1 ? `ARRAY[${ids.join()}]` : `'{${ids.join()}}'::int[]`;
  return copy(`unnest(${list}) WITH ORDINALITY AS wanted (id, place)
    CROSS JOIN LATERAL (SELECT * FROM bars WHERE series_id = id ORDER BY ts DESC LIMIT 1) AS bar
    ORDER BY place LIMIT ${limit}`);
}

/** The id of a series, or the query for it. */
function idOf({ id, provider, symbol, interval }: StoredSeries): string {
  if (id !== undefined) return String(id);
  return `(SELECT id FROM series WHERE provider = ${escapeLiteral(provider)}
             AND symbol = ${escapeLiteral(symbol)} AND interval = ${escapeLiteral(interval)})`;
}

/** COPY takes no parameters: all that goes into its text are numbers and times of our own making, and names as
 * literals. */
function copy(from: string): string {
  return `COPY (SELECT ${ENCODED_COLUMNS} FROM ${from}) TO STDOUT (FORMAT binary)`;
}

/** Series of the same symbol have the same rank: their bars are sorted by time among each other. */
function ranksOf(series: readonly StoredSeries[]): number[] {
  let rank = 0;
  return series.map(({ symbol }, index) => (symbol === series[index - 1]?.symbol ? rank : ++rank));
}

/** Of the instant of a position only series with a higher id are left. */
function rangeOf({ start, end, sort }: BarQuery, position?: BarPosition): string {
  const conditions: string[] = [];
  if (start !== undefined) conditions.push(`ts >= ${literal(start)}`);
  if (end !== undefined) conditions.push(`ts < ${literal(end)}`);
  if (position !== undefined) {
    const ts = literal(position.ts);
    conditions.push(
      `ts ${sort === 'asc' ? '>=' : '<='} ${ts}`,
      `(ts <> ${ts} OR series_id > ${position.seriesId})`,
    );
  }
  return conditions.map((condition) => ` AND ${condition}`).join('');
}

function literal(ts: number): string {
  return `'${formatTimestamp(ts)}'`;
}
