import type { ClientBase } from 'pg';

import type { SeriesKey } from '../series.key.js';
import { filterValues, MATCHES_FILTER, type SeriesFilter } from './series.filter.js';

/** A series as it is stored. */
export interface StoredSeries extends SeriesKey {
  /** Undefined: the statement that reads its bars finds it by its key, and there may be none. */
  readonly id: number | undefined;
}

/**
 * The next series from the symbol $6 on, and behind the one of provider $8 and interval $9 if they are given: at least $7
 * when there are so many, and of each symbol all.
 */
const NEXT_SERIES = `
  SELECT id, provider, symbol, interval FROM (
    SELECT id, provider, symbol, interval FROM series
     WHERE ${MATCHES_FILTER} AND symbol COLLATE "C" >= $6
       AND ($8::text IS NULL OR (symbol COLLATE "C", provider, interval) > ($6, $8, $9))
     ORDER BY symbol COLLATE "C" FETCH FIRST ($7) ROWS WITH TIES
  ) AS page
  ORDER BY symbol COLLATE "C", provider, interval`;

/**
 * The series that match, sorted by symbol, provider, interval, from a symbol on or behind a series; a symbol is never on
 * two pages. Their ids hold in the transaction in which they were read.
 */
export async function* seriesPages(
  client: ClientBase,
  filter: SeriesFilter,
  pageSize: number,
  start: string | SeriesKey = '',
): AsyncGenerator<StoredSeries[], void> {
  let behind = typeof start === 'string' ? undefined : start;
  let from = typeof start === 'string' ? start : start.symbol;
  const only = onlyKey(filter);
  // How providers sort is the database's to say.
  if (only !== undefined && behind === undefined) {
    // Symbols are ASCII: here they sort as there.
    if (only.symbol >= from) yield [{ ...only, id: undefined }];
    return;
  }
  for (;;) {
    const values = [...filterValues(filter), from, pageSize, behind?.provider, behind?.interval];
    const { rows }: { rows: StoredSeries[] } = await client.query<StoredSeries>(NEXT_SERIES, values);
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) return;
    // A space, which no symbol has, sorts behind the symbol and before all that are behind it.
    from = `${last.symbol} `;
    behind = undefined;
  }
}

/** The key of the only series that can match; undefined when it may be one of several. */
export function onlyKey({ provider, symbols, interval }: SeriesFilter): SeriesKey | undefined {
  const [symbol, ...others] = symbols ?? [];
  if (provider === undefined || symbol === undefined || others.length > 0 || interval === undefined)
    return undefined;
  return { provider, symbol, interval };
}
