import { Readable } from 'node:stream';

import type { FastifyReply } from 'fastify';

import { SECOND } from '../../config/units.js';
import { ProblemError } from '../../http/problem.error.js';
import type { BarsQuery } from '../dto/bars.query.js';
import type { SeriesFilterQuery } from '../dto/series-filter.query.js';
import { withDatabaseProblem } from '../ingest/write.problems.js';
import type { BarPosition, BarQuery, BarReader } from './bar.reader.js';
import type { BarRow } from './bar.row.js';
import { BAR_COLUMNS, barCsv, barJson } from './bar.text.js';
import { decodePageToken, encodePageToken } from './page.token.js';
import type { SeriesReader } from './series.reader.js';

type TextFormat = 'ndjson' | 'csv';
type Format = TextFormat | 'json';

const DEFAULT_LIMIT = 1_000;
/** Rows read at once while a whole range is streamed: this much is in memory. */
const STREAM_ROWS = 5_000;
const MOST_LATEST = 10_000;
const MICROS_PER_SECOND = 1_000_000;

const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
};

/** Answers questions about bars in the form that was asked for. */
export class BarsAnswer {
  constructor(
    private readonly reader: BarReader,
    private readonly series: SeriesReader,
    private readonly now: () => number = Date.now,
  ) {}

  /** A page, or with CSV and NDJSON and no limit the whole range as a stream. */
  async bars(query: BarsQuery, accept: string | undefined, reply: FastifyReply): Promise<void> {
    const format = query.format ?? acceptedFormat(accept);
    const range = rangeOf(query);
    if (format !== 'json' && query.limit === undefined && query.page_token === undefined) {
      await this.stream(range, format, reply);
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
      void reply.send(headerOf(format) + linesOf(page, format));
    }
  }

  /** The newest bar of each series that matches. */
  async latest(filter: SeriesFilterQuery, reply: FastifyReply): Promise<void> {
    const rows = await withDatabaseProblem(() => this.series.latest(filter, MOST_LATEST));
    const nowSeconds = this.now() / SECOND;
    const bars = rows.map((bar) => barJson(bar, roundMs(nowSeconds - bar.ts / MICROS_PER_SECOND)));
    void reply.type(CONTENT_TYPES.json).send(`{"bars":[${bars.join(',')}]}`);
  }

  private async stream(range: BarQuery, format: TextFormat, reply: FastifyReply): Promise<void> {
    const pages = this.reader.pages(range, STREAM_ROWS);
    // The first page is awaited before the status is sent: a database that is away is still answered as such.
    const first = await withDatabaseProblem(() => pages.next());
    void reply.type(CONTENT_TYPES[format]).send(Readable.from(textOf(first, pages, format)));
  }
}

async function* textOf(
  first: IteratorResult<BarRow[]>,
  rest: AsyncGenerator<BarRow[]>,
  format: TextFormat,
): AsyncGenerator<string> {
  const header = headerOf(format);
  if (header !== '') yield header;
  if (first.done === true) return;
  yield linesOf(first.value, format);
  for await (const page of rest) yield linesOf(page, format);
}

function headerOf(format: TextFormat): string {
  return format === 'csv' ? `${BAR_COLUMNS}\n` : '';
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
