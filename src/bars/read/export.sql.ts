import type { SeriesKey } from '../series.key.js';
import { formatTimestamp } from '../timestamp.js';
import { ENCODED_COLUMNS } from './bar.encoder.js';
import type { BarQuery } from './bar.reader.js';
import { MATCHES_FILTER } from './series.filter.js';

/** A series as it is stored. */
export interface StoredSeries extends SeriesKey {
  readonly id: number;
}

/**
 * One snapshot for the whole export. Compiling takes longer than it saves; sorting in memory spares the disk; with
 * disks whose heads move, which PostgreSQL expects, it would read the whole table for a few series.
 */
export const BEGIN_EXPORT = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
  SET LOCAL jit = off; SET LOCAL work_mem = '32MB'; SET LOCAL random_page_cost = 1.1`;

/** The next series behind the symbol $4: at least $5 when there are so many, and of each symbol all. */
export const NEXT_SERIES = `
  SELECT id, provider, symbol, interval FROM series
   WHERE ${MATCHES_FILTER} AND ($4::text IS NULL OR symbol COLLATE "C" > $4)
   ORDER BY symbol COLLATE "C" FETCH FIRST ($5) ROWS WITH TIES`;

/**
 * The COPY of the bars of some series, which are sorted by symbol. It takes no parameters: all that goes into its text
 * are numbers and times of our own making. One series is read along the primary key, without sorting; of several
 * PostgreSQL finds out whether an index or one pass over the table is faster.
 */
export function copySeries(series: readonly StoredSeries[], { start, end, sort }: BarQuery): string {
  const range =
    (start === undefined ? '' : ` AND ts >= '${formatTimestamp(start)}'`) +
    (end === undefined ? '' : ` AND ts < '${formatTimestamp(end)}'`);
  const ids = series.map(({ id }) => id);
  const bars =
    ids.length === 1
      ? `bars WHERE series_id = ${ids.join()}${range} ORDER BY ts ${sort}`
      : `unnest('{${ids.join()}}'::int[], '{${ranksOf(series).join()}}'::int[]) AS wanted (id, rank)
           JOIN bars ON series_id = id${range} ORDER BY rank, ts ${sort}, id`;
  return `COPY (SELECT ${ENCODED_COLUMNS} FROM ${bars}) TO STDOUT (FORMAT binary)`;
}

/** Series of the same symbol have the same rank: their bars are sorted by time among each other. */
function ranksOf(series: readonly StoredSeries[]): number[] {
  let rank = 0;
  return series.map(({ symbol }, index) => (symbol === series[index - 1]?.symbol ? rank : ++rank));
}
