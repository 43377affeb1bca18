import type { ClientBase } from 'pg';
import { to as copyTo } from 'pg-copy-streams';

import { BarEncoder } from './bar.encoder.js';
import { BAR_LAYOUTS, type Format } from './bar.layout.js';
import type { BarPosition, BarQuery } from './bar.query.js';
import { copyBars } from './copy.sql.js';
import { seriesPages, type StoredSeries } from './series.pages.js';

/** Most bars that PostgreSQL is meant to sort at once: some 300 MB of its temporary files. */
const SORTED_BARS = 4_000_000;
/** The first statement is small, so that the first bars come at once; how much larger the next ones may be. */
const GROWTH = 16;
/** Series whose names are in memory: of a page, which few may fill, and of a whole range. */
const SERIES_OF_PAGE = 256;
const SERIES_OF_RANGE = 50_000;

/**
 * The text of at most `limit` bars behind `position`, or from the beginning, in pieces, each made when the one before
 * was taken.
 * @returns the last bar of the text when there are more behind it
 */
export async function* barPieces(
  client: ClientBase,
  query: BarQuery,
  format: Format,
  limit = Infinity,
  position?: BarPosition,
): AsyncGenerator<Buffer, BarPosition | undefined> {
  const pageSize = limit === Infinity ? SERIES_OF_RANGE : SERIES_OF_PAGE;
  let left = limit;
  let wanted = 1;
  let last: BarPosition | undefined;
  for await (const series of seriesPages(client, query, pageSize, position?.symbol)) {
    let first = 0;
    while (first < series.length) {
      const batch = series.slice(first, endOfSymbol(series, first + wanted));
      first += batch.length;
      // Only the first batch, which is one symbol, can be that of the position.
      const behind = batch[0]?.symbol === position?.symbol ? position : undefined;
      const encoder = new BarEncoder(BAR_LAYOUTS[format], batch, { most: left });
      // One more than asked for tells whether there are more.
      yield* encodedCopy(client, copyBars(batch, query, left + 1, behind), encoder);
      const bars = encoder.end();
      last = encoder.last ?? last;
      if (bars > left) return last;
      left -= bars;
      const fitting = Math.floor((batch.length * Math.min(left, SORTED_BARS)) / Math.max(bars, 1));
      wanted = Math.max(1, Math.min(batch.length * GROWTH, fitting));
    }
  }
  return undefined;
}

/** What a COPY sends, as text. */
export async function* encodedCopy(
  client: ClientBase,
  copy: string,
  encoder: BarEncoder,
): AsyncGenerator<Buffer, void> {
  const stream = client.query(copyTo(copy));
  // A connection that breaks behind the last bar fails the next statement; unheard here it would end the process.
  stream.on('error', () => undefined);
  for await (const piece of stream) {
    const text = encoder.encode(piece as Buffer);
    if (text.length > 0) yield text;
  }
}

/** The first index from `index` on at which another symbol begins. */
function endOfSymbol(series: readonly StoredSeries[], index: number): number {
  let end = index;
  while (end < series.length && series[end]?.symbol === series[end - 1]?.symbol) end++;
  return Math.min(end, series.length);
}
