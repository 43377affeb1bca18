import type { FastifyReply, FastifyRequest } from 'fastify';

import { SECOND } from '../../config/units.js';
import { ProblemError } from '../../http/problem.error.js';
import type { BarsQuery } from '../dto/bars.query.js';
import type { SeriesFilterQuery } from '../dto/series-filter.query.js';
import { withDatabaseProblem } from '../ingest/write.problems.js';
import type { BarPosition, BarQuery, BarReader } from './bar.reader.js';
import type { BarRow } from './bar.row.js';
import { BAR_LAYOUTS, CONTENT_TYPES, type TextFormat } from './bar.layout.js';
import { barCsv, barJson } from './bar.text.js';
import type { BarsStream } from './bars.stream.js';
import { decodePageToken, encodePageToken } from './page.token.js';
import type { SeriesReader } from './series.reader.js';

type Format = TextFormat | 'json';

const DEFAULT_LIMIT = 1_000;
const MOST_LATEST = 10_000;
const MICROS_PER_SECOND = 1_000_000;

/** Answers questions about bars in the form that was asked for. */
export class BarsAnswer {
  constructor(
    private readonly reader: BarReader,
    private readonly series: SeriesReader,
    private readonly whole: BarsStream,
    private readonly now: () => number = Date.now,
  ) {}

  /** A page, or with CSV and NDJSON and no limit the whole range as a stream. */
  async bars(query: BarsQuery, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const format = query.format ?? acceptedFormat(request.headers.accept);
    const range = rangeOf(query);
    if (format !== 'json' && query.limit === undefined && query.page_token === undefined) {
      await this.whole.send(range, format, request, reply);
      return;
    }
    const limit = query.limit ?? DEFAULT_LIMIT;
    const position = query.page_token === undefined ? undefined : positionOf(query.page_token);
    // One more than asked for tells whether there is a next page.
    const rows = await withDatabaseProblem(() => this.reader.read(range, limit + 1, position));
    const page = rows.slice(0, limit);
    const token = rows.length > limit ? tokenOf(page[page.length - 1]) : null;
    void reply.type(CONTENT_TYPES[format]);
    if (format === 'json') {
      const bars = page.map((bar) => barJson(bar)).join(',');
      void reply.send(`{"bars":[${bars}],"next_page_token":${JSON.stringify(token)}}`);
    } else {
      if (token !== null) void reply.header('x-next-page-token', token);
      void reply.send(BAR_LAYOUTS[format].header + linesOf(page, format));
    }
  }

  /** The newest bar of each series that matches. */
  async latest(filter: SeriesFilterQuery, reply: FastifyReply): Promise<void> {
    const rows = await withDatabaseProblem(() => this.series.latest(filter, MOST_LATEST));
    const nowSeconds = this.now() / SECOND;
    const bars = rows.map((bar) => barJson(bar, roundMs(nowSeconds - bar.ts / MICROS_PER_SECOND)));
    void reply.type(CONTENT_TYPES.json).send(`{"bars":[${bars.join(',')}]}`);
  }
}

function linesOf(bars: readonly BarRow[], format: TextFormat): string {
  let text = '';
  for (const bar of bars) text += `${format === 'csv' ? barCsv(bar) : barJson(bar)}\n`;
  return text;
}

function acceptedFormat(accept: string | undefined): Format {
  if (accept?.includes('text/csv')) return 'csv';
  return accept?.includes('application/x-ndjson') ? 'ndjson' : 'json';
}

function rangeOf(query: BarsQuery): BarQuery {
  const { interval, timeframe, start, end } = query;
  if (interval !== undefined && timeframe !== undefined && interval !== timeframe) {
    throw new ProblemError(
      'invalid-parameter',
      'interval and timeframe are the same parameter; give one of them.',
    );
  }
  if (start !== undefined && end !== undefined && start > end) {
    throw new ProblemError('invalid-parameter', 'start must not be after end.');
  }
  const { symbols, provider, sort = 'asc' } = query;
  return { symbols, provider, interval: interval ?? timeframe, start, end, sort };
}

function tokenOf(bar: BarRow | undefined): string | null {
  return bar === undefined ? null : encodePageToken([bar.symbol, bar.ts, bar.seriesId]);
}

function positionOf(token: string): BarPosition {
  const [symbol, ts, seriesId] = decodePageToken(token, ['name', 'ts', 'seriesId']);
  return { symbol: String(symbol), ts: Number(ts), seriesId: Number(seriesId) };
}

/** Seconds to the millisecond: the clock has no more to tell. */
function roundMs(seconds: number): number {
  return Math.round(seconds * SECOND) / SECOND;
}
