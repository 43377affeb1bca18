import type { ClientBase } from 'pg';

import { Remembered } from '../../http/remembered.js';
import { type SeriesKey, seriesName } from '../series.key.js';
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

/** Names longer than this are not those of a series. */
const LONGEST_NAME = 1_000;
const MOST_REMEMBERED = 10_000;
/**
 * Single series by name, as each connection told. The server behind it gives an id to no other series; another one may,
 * and is on another connection.
 */
const told = new WeakMap<ClientBase, Remembered<StoredSeries>>();

/** The series that match, sorted by symbol, provider, interval, from a symbol on; a symbol is never on two pages. */
export async function* seriesPages(
  client: ClientBase,
  filter: SeriesFilter,
  pageSize: number,
  from = '',
): AsyncGenerator<StoredSeries[], void> {
  const name = nameOf(filter);
  const known = name === undefined ? undefined : told.get(client)?.get(name);
  if (known !== undefined && from === '') {
    yield [known];
    return;
  }
  for (;;) {
    const values: unknown[] = [...filterValues(filter), from, pageSize];
    const { rows }: { rows: StoredSeries[] } = await client.query<StoredSeries>(NEXT_SERIES, values);
    if (name !== undefined && rows[0] !== undefined) remember(client, name, rows[0]);
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) return;
    // A space, which no symbol has, sorts behind the symbol and before all that are behind it.
    from = `${last.symbol} `;
  }
}

/** The name of the only series that can match; undefined when it may be one of several. */
function nameOf({ provider, symbols, interval }: SeriesFilter): string | undefined {
  const [symbol, ...others] = symbols ?? [];
  if (provider === undefined || symbol === undefined || others.length > 0 || interval === undefined)
    return undefined;
  return seriesName(provider, symbol, interval);
}

function remember(client: ClientBase, name: string, series: StoredSeries): void {
  const known = told.get(client) ?? new Remembered<StoredSeries>(MOST_REMEMBERED, LONGEST_NAME);
  known.set(name, series);
  told.set(client, known);
}
