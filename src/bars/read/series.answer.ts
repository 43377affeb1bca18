import type { SeriesPageDto } from '../dto/series.dto.js';
import type { SeriesListQuery } from '../dto/series-list.query.js';
import { withDatabaseProblem } from '../ingest/write.problems.js';
import type { SymbolCase } from '../symbol.case.js';
import { formatTimestamp } from '../timestamp.js';
import { decodeSeriesToken, encodeSeriesToken } from './page.token.js';
import type { SeriesReader } from './series.reader.js';

const DEFAULT_LIMIT = 100;

/** Answers which series there are. */
export class SeriesAnswer {
  constructor(
    private readonly series: SeriesReader,
    private readonly symbolCase: SymbolCase,
  ) {}

  /** A page of series. */
  async list(query: SeriesListQuery): Promise<SeriesPageDto> {
    const limit = query.limit ?? DEFAULT_LIMIT;
    const after = query.page_token === undefined ? undefined : decodeSeriesToken(query.page_token);
    // One more than asked for tells whether there is a next page.
    const { provider, interval } = query;
    const filter = { provider, interval, ...this.symbolCase.asked(query) };
    const counted = query.rows === 'true';
    const found = await withDatabaseProblem(() => this.series.list(filter, limit + 1, after, counted));
    const page = found.slice(0, limit);
    const last = page[page.length - 1];
    return {
      series: page.map(({ id, provider, symbol, interval, firstTs, lastTs, rows }) => ({
        id,
        provider,
        symbol,
        interval,
        first_ts: formatTimestamp(firstTs),
        last_ts: formatTimestamp(lastTs),
        ...(rows !== undefined && { rows }),
      })),
      next_page_token: found.length > limit && last !== undefined ? encodeSeriesToken(last) : null,
    };
  }
}
