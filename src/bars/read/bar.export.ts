import type { ClientBase } from 'pg';
import { to as copyTo } from 'pg-copy-streams';

import type { Database } from '../../database/database.js';
import { SECOND } from '../../config/units.js';
import { ProblemError } from '../../http/problem.error.js';
import { BarEncoder } from './bar.encoder.js';
import type { TextFormat } from './bar.layout.js';
import type { BarQuery } from './bar.reader.js';
import { BEGIN_EXPORT, copySeries, NEXT_SERIES, type StoredSeries } from './export.sql.js';
import { filterValues } from './series.filter.js';

/** Most bars that PostgreSQL is meant to sort at once: some 300 MB of its temporary files. */
const SORTED_BARS = 4_000_000;
/** Series whose names are in memory. */
const SERIES_PAGE = 50_000;
/** The first statement is small, so that the first bars come at once; how much larger the next ones may be. */
const GROWTH = 16;
const RETRY_AFTER_MS = 5 * SECOND;

/** Reads a whole range as text, in constant memory. */
export class BarExport {
  constructor(private readonly database: Pick<Database, 'lease'>) {}

  /**
   * The text in pieces, each made when the one before was taken; all of one snapshot. An abort of `signal` gives the
   * connection back at once.
   * @throws ProblemError `too-many-readers` when no connection became free
   */
  async *pieces(query: BarQuery, format: TextFormat, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const lease = await this.database.lease(signal);
    if (lease === undefined) {
      throw new ProblemError('too-many-readers', 'Too many exports are being read at this moment.', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    let finished = false;
    try {
      await lease.client.query(BEGIN_EXPORT);
      yield* bars(lease.client, query, format);
      await lease.client.query('COMMIT');
      finished = true;
    } finally {
      lease.release(finished);
    }
  }
}

async function* bars(client: ClientBase, query: BarQuery, format: TextFormat): AsyncGenerator<Buffer, void> {
  let wanted = 1;
  for await (const series of seriesPages(client, query)) {
    let first = 0;
    while (first < series.length) {
      const batch = series.slice(first, endOfSymbol(series, first + wanted));
      first += batch.length;
      const encoder = new BarEncoder(format, batch);
      for await (const piece of client.query(copyTo(copySeries(batch, query)))) {
        const text = encoder.encode(piece as Buffer);
        if (text.length > 0) yield text;
      }
      const fitting = Math.floor((batch.length * SORTED_BARS) / Math.max(encoder.end(), 1));
      wanted = Math.max(1, Math.min(batch.length * GROWTH, fitting));
    }
  }
}

/** The series of the query, sorted by symbol; a symbol is never on two pages. */
async function* seriesPages(client: ClientBase, query: BarQuery): AsyncGenerator<StoredSeries[], void> {
  let behind: string | null = null;
  for (;;) {
    const values: unknown[] = [...filterValues(query), behind, SERIES_PAGE];
    const { rows }: { rows: StoredSeries[] } = await client.query<StoredSeries>(NEXT_SERIES, values);
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < SERIES_PAGE) return;
    behind = last.symbol;
  }
}

/** The first index from `index` on at which another symbol begins. */
function endOfSymbol(series: readonly StoredSeries[], index: number): number {
  let end = index;
  while (end < series.length && series[end]?.symbol === series[end - 1]?.symbol) end++;
  return Math.min(end, series.length);
}
