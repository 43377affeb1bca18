import type { ClientBase } from 'pg';

import { type SeriesKey, seriesName } from '../series.key.js';
import type { SeriesStore } from '../series.store.js';
import { filterValues, MATCHES_FILTER, type SeriesFilter } from './series.filter.js';

/** A series as it is stored. */
export interface StoredSeries extends SeriesKey {
  readonly id: number;
}

/** The next series from the symbol $4 on: at least $5 when there are so many, and of each symbol all. */
const NEXT_SERIES = `
  SELECT id, provider, symbol, interval FROM (
    SELECT id, provider, symbol, interval FROM series
     WHERE ${MATCHES_FILTER} AND symbol COLLATE "C" >= $4
     ORDER BY symbol COLLATE "C" FETCH FIRST ($5) ROWS WITH TIES
  ) AS page
  ORDER BY symbol COLLATE "C", provider, interval`;

/** The series that match, sorted by symbol, provider, interval, from a symbol on; a symbol is never on two pages. */
export async function* seriesPages(
  client: ClientBase,
  store: SeriesStore,
  filter: SeriesFilter,
  pageSize: number,
  from = '',
): AsyncGenerator<StoredSeries[], void> {
  const only = onlyKey(filter);
  if (only !== undefined) {
    const id = await store.find(client, seriesName(only.provider, only.symbol, only.interval));
    // Symbols are ASCII: here they sort as there.
    if (id !== undefined && only.symbol >= from) yield [{ ...only, id }];
    return;
  }
  for (;;) {
    const values: unknown[] = [...filterValues(filter), from, pageSize];
    const { rows }: { rows: StoredSeries[] } = await client.query<StoredSeries>(NEXT_SERIES, values);
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) return;
    // A space, which no symbol has, sorts behind the symbol and before all that are behind it.
    from = `${last.symbol} `;
  }
}

/** The key of the only series that can match; undefined when it may be one of several. */
function onlyKey({ provider, symbols, interval }: SeriesFilter): SeriesKey | undefined {
  const [symbol, ...others] = symbols ?? [];
  if (provider === undefined || symbol === undefined || others.length > 0 || interval === undefined)
    return undefined;
  return { provider, symbol, interval };
}
