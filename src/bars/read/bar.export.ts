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
/** Most series whose names are in memory. */
const MOST_SERIES = 50_000;
/** The first statement is small, so that the first bars come at once; how much larger the next ones may be. */
const GROWTH = 64;
const RETRY_AFTER_MS = 5 * SECOND;

/** Reads a whole range as text, in constant memory. */
export class BarExport {
  constructor(private readonly database: Database) {}

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
  let behind: string | null = null;
  let count = 1;
  for (;;) {
    const series: StoredSeries[] = (
      await client.query<StoredSeries>(NEXT_SERIES, [...filterValues(query), behind, count])
    ).rows;
    const last = series.at(-1);
    if (last === undefined) return;
    const encoder = new BarEncoder(format, series);
    for await (const piece of client.query(copyTo(copySeries(series, query)))) {
      const text = encoder.encode(piece as Buffer);
      if (text.length > 0) yield text;
    }
    const rows = encoder.end();
    if (series.length < count) return;
    behind = last.symbol;
    const fitting = Math.floor((series.length * SORTED_BARS) / Math.max(rows, 1));
    count = Math.max(1, Math.min(series.length * GROWTH, fitting, MOST_SERIES));
  }
}
