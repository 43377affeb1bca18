import type { Database } from '../../database/database.js';
import { formatTimestamp } from '../timestamp.js';
import { barRow, ISO_TS, type BarRow, type StoredBar } from './bar.row.js';
import { filterValues, MATCHES_FILTER, type SeriesFilter } from './series.filter.js';

/** A range of bars. Order: symbol, then time, then series. */
export interface BarQuery extends SeriesFilter {
  /** Unix epoch microseconds, inclusive. */
  readonly start?: number | undefined;
  /** Unix epoch microseconds, exclusive. */
  readonly end?: number | undefined;
  /** Direction of time; symbols always ascend. */
  readonly sort: 'asc' | 'desc';
}

/** The last bar that was handed out; reading goes on behind it. */
export interface BarPosition {
  readonly symbol: string;
  /** Unix epoch microseconds. */
  readonly ts: number;
  readonly seriesId: number;
}

/** Most symbols asked for in one statement: what is fetched in vain stays bounded. */
const MOST_SYMBOLS = 256;

const NEXT_SYMBOLS = `
  SELECT DISTINCT symbol COLLATE "C" AS symbol FROM series
   WHERE ${MATCHES_FILTER} AND ($4::text IS NULL OR symbol COLLATE "C" > $4)
   ORDER BY 1 LIMIT $5`;

/**
 * Takes at most a page from each series along the primary key; sorting then sees no more than those. Of the instant
 * $7 only series with an id above $8 are left. The bounds are plain parameters, so that only the partitions of the
 * range are looked at.
 */
const selectBars = (sort: 'asc' | 'desc'): string => `
  SELECT id AS "seriesId", provider, symbol, interval,
         ${ISO_TS} AS ts, open, high, low, close, volume
    FROM series CROSS JOIN LATERAL (
      SELECT ts, open, high, low, close, volume FROM bars
       WHERE series_id = series.id AND ts >= $4 AND ts < $5 AND ($7::timestamptz IS NULL OR ts <> $7 OR id > $8)
       ORDER BY ts ${sort} LIMIT $6
    ) AS bar
   WHERE ${MATCHES_FILTER}
   ORDER BY symbol COLLATE "C", bar.ts ${sort}, id LIMIT $6`;
const SELECT_BARS = { asc: selectBars('asc'), desc: selectBars('desc') };

/** Reads stored bars, a bounded number at a time. */
export class BarReader {
  constructor(private readonly database: Database) {}

  /** At most `limit` bars behind `position`, or from the beginning. Fewer mean that there are no more. */
  async read(query: BarQuery, limit: number, position?: BarPosition): Promise<BarRow[]> {
    const bars: BarRow[] = [];
    let behind = position?.symbol;
    if (position !== undefined && (query.symbols?.includes(position.symbol) ?? true)) {
      bars.push(...(await this.barsOf(rest(query, position), limit, position)));
    }
    for (let count = 1; bars.length < limit; count = Math.min(count * 2, MOST_SYMBOLS)) {
      const symbols = await this.nextSymbols(query, behind, count);
      if (symbols.length === 0) break;
      bars.push(...(await this.barsOf({ ...query, symbols }, limit - bars.length)));
      // These symbols are read to their end: go on behind the last, with more at once as they hold so little.
      behind = symbols.at(-1);
    }
    return bars;
  }

  private async nextSymbols(query: BarQuery, behind: string | undefined, limit: number): Promise<string[]> {
    if (query.symbols !== undefined) {
      const ascending = [...new Set(query.symbols)].sort();
      return ascending.filter((symbol) => behind === undefined || symbol > behind).slice(0, limit);
    }
    const rows = await this.database.query<{ symbol: string }>(NEXT_SYMBOLS, [
      ...filterValues(query),
      behind ?? null,
      limit,
    ]);
    return rows.map(({ symbol }) => symbol);
  }

  private async barsOf(query: BarQuery, limit: number, behind?: BarPosition): Promise<BarRow[]> {
    const { start, end, sort } = query;
    const rows = await this.database.query<StoredBar>(SELECT_BARS[sort], [
      ...filterValues(query),
      start === undefined ? '-infinity' : formatTimestamp(start),
      end === undefined ? 'infinity' : formatTimestamp(end),
      limit,
      behind === undefined ? null : formatTimestamp(behind.ts),
      behind?.seriesId ?? null,
    ]);
    return rows.map(barRow);
  }
}

/** What a symbol has from the instant of the position on. A token may come from another question with another range. */
function rest(query: BarQuery, { symbol, ts }: BarPosition): BarQuery {
  const { start = ts, end = ts + 1, sort } = query;
  return sort === 'asc'
    ? { ...query, symbols: [symbol], start: Math.max(start, ts) }
    : { ...query, symbols: [symbol], end: Math.min(end, ts + 1) };
}
