import type { Database } from '../../database/database.js';
import { formatTimestamp } from '../timestamp.js';
import type { BarRow, StoredBar } from './bar.row.js';
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
   WHERE ${MATCHES_FILTER}
     AND ($4::text IS NULL OR symbol COLLATE "C" > $4 OR (symbol = $4 AND $5))
   ORDER BY 1 LIMIT $6`;

/**
 * Takes at most a page from each series along the primary key; sorting then sees no more than those. Behind a
 * position ($7 symbol, $8 series) series up to that id go on at the bound $9, the others at $10.
 */
const selectBars = (sort: 'asc' | 'desc'): string => {
  const behind = (bound: string) =>
    `CASE WHEN symbol = $7 THEN CASE WHEN id <= $8 THEN $9::timestamptz ELSE $10::timestamptz END ELSE ${bound} END`;
  // A token may come from another question: what it asks for is cut to the range of this one.
  const from = sort === 'asc' ? `greatest($4::timestamptz, ${behind('$4::timestamptz')})` : '$4::timestamptz';
  const until = sort === 'desc' ? `least($5::timestamptz, ${behind('$5::timestamptz')})` : '$5::timestamptz';
  return `
    SELECT id AS "seriesId", provider, symbol, interval,
           (extract(epoch FROM ts) * 1000000)::bigint::text AS ts, open, high, low, close, volume
      FROM series CROSS JOIN LATERAL (
        SELECT ts, open, high, low, close, volume FROM bars
         WHERE series_id = series.id AND ts >= ${from} AND ts < ${until}
         ORDER BY ts ${sort} LIMIT $6
      ) AS bar
     WHERE ${MATCHES_FILTER}
     ORDER BY symbol COLLATE "C", bar.ts ${sort}, id LIMIT $6`;
};
const SELECT_BARS = { asc: selectBars('asc'), desc: selectBars('desc') };

/** Where to go on: behind a bar, or behind everything of a symbol. */
type Resume = BarPosition | { readonly symbol: string; readonly ts?: undefined };

/** Reads stored bars, a bounded number at a time. */
export class BarReader {
  constructor(private readonly database: Database) {}

  /** At most `limit` bars behind `position`, or from the beginning. Fewer mean that there are no more. */
  async read(query: BarQuery, limit: number, position?: BarPosition): Promise<BarRow[]> {
    const bars: BarRow[] = [];
    let after: Resume | undefined = position;
    let symbolCount = 1;
    for (;;) {
      const symbols = await this.nextSymbols(query, after, symbolCount);
      if (symbols.length === 0) return bars;
      bars.push(...(await this.barsOf({ ...query, symbols }, limit - bars.length, after)));
      if (bars.length >= limit) return bars;
      // These symbols are read to their end: go on behind the last, with more at once as they hold so little.
      after = { symbol: symbols[symbols.length - 1] ?? '' };
      symbolCount = Math.min(symbolCount * 2, MOST_SYMBOLS);
    }
  }

  private async nextSymbols(query: BarQuery, after: Resume | undefined, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ symbol: string }>(NEXT_SYMBOLS, [
      ...filterValues(query),
      after?.symbol ?? null,
      after?.ts !== undefined,
      limit,
    ]);
    return rows.map(({ symbol }) => symbol);
  }

  private async barsOf(query: BarQuery, limit: number, after: Resume | undefined): Promise<BarRow[]> {
    const { start, end, sort } = query;
    const behind = after?.ts === undefined ? undefined : after;
    const at = behind && formatTimestamp(behind.ts);
    const next = behind && formatTimestamp(behind.ts + 1);
    const rows = await this.database.query<StoredBar>(SELECT_BARS[sort], [
      ...filterValues(query),
      start === undefined ? '-infinity' : formatTimestamp(start),
      end === undefined ? 'infinity' : formatTimestamp(end),
      limit,
      behind?.symbol ?? null,
      behind?.seriesId ?? null,
      (sort === 'asc' ? next : at) ?? null,
      (sort === 'asc' ? at : next) ?? null,
    ]);
    return rows.map((row) => ({ ...row, ts: Number(row.ts) }));
  }
}
