import type { FastifyReply, FastifyRequest } from 'fastify';

import { preferredType } from '../../http/negotiation.js';
import { ProblemError } from '../../http/problem.error.js';
import type { BarsQuery } from '../dto/bars.query.js';
import type { LatestBarsQuery } from '../dto/latest-bars.query.js';
import { withDatabaseProblem } from '../ingest/write.problems.js';
import type { SymbolCase } from '../symbol.case.js';
import { AGED_LAYOUTS, BAR_LAYOUTS, CONTENT_TYPES, type Format } from './bar.layout.js';
import type { BarPosition, BarQuery } from './bar.query.js';
import type { BarReader } from './bar.reader.js';
import type { BarsStream } from './bars.stream.js';
import { decodePageToken, decodeSeriesToken, encodePageToken, encodeSeriesToken } from './page.token.js';

const DEFAULT_LIMIT = 1_000;

/** Answers questions about bars in the form that was asked for. */
export class BarsAnswer {
  constructor(
    private readonly reader: BarReader,
    private readonly whole: BarsStream,
    private readonly symbolCase: SymbolCase,
  ) {}

  /** A page, or with CSV and NDJSON and no limit the whole range as a stream. */
  async bars(query: BarsQuery, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const format = query.format ?? acceptedFormat(request, reply);
    const range = { ...rangeOf(query), ...this.symbolCase.asked(query) };
    if (format !== 'json' && query.limit === undefined && query.page_token === undefined) {
      await this.whole.send(range, format, request, reply);
      return;
    }
    const limit = query.limit ?? DEFAULT_LIMIT;
    const position = query.page_token === undefined ? undefined : positionOf(query.page_token);
    const { pieces, last } = await withDatabaseProblem(() =>
      this.reader.page(range, format, limit, position),
    );
    const token = last === undefined ? null : encodePageToken([last.symbol, last.ts, last.seriesId]);
    sendPage(reply, format, BAR_LAYOUTS[format].header, pieces, token);
  }

  /** A page of the newest bars of the series that match. */
  async latest(query: LatestBarsQuery, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const format = query.format ?? acceptedFormat(request, reply);
    const limit = query.limit ?? DEFAULT_LIMIT;
    const behind = query.page_token === undefined ? undefined : decodeSeriesToken(query.page_token);
    const { provider, interval } = query;
    const filter = { provider, interval, ...this.symbolCase.asked(query) };
    const { pieces, last } = await withDatabaseProblem(() =>
      this.reader.latest(filter, format, limit, behind),
    );
    const token = last === undefined ? null : encodeSeriesToken(last);
    sendPage(reply, format, AGED_LAYOUTS[format].header, pieces, token);
  }
}

/** Sends a page; the token of the next one is in the document or, where that holds bars only, in a header. */
function sendPage(
  reply: FastifyReply,
  format: Format,
  header: string,
  pieces: readonly Buffer[],
  token: string | null,
): void {
  void reply.type(CONTENT_TYPES[format]);
  if (format === 'json') {
    void reply.send(jsonOf(pieces, `],"next_page_token":${JSON.stringify(token)}}\n`));
  } else {
    if (token !== null) void reply.header('x-next-page-token', token);
    void reply.send(Buffer.concat([Buffer.from(header), ...pieces]));
  }
}

/** The document of some bars, of which each has a comma before it. */
function jsonOf([first = Buffer.alloc(0), ...others]: readonly Buffer[], end: string): Buffer {
  return Buffer.concat([
    Buffer.from(BAR_LAYOUTS.json.header),
    first.subarray(1),
    ...others,
    Buffer.from(end),
  ]);
}

const FORMATS = new Map(Object.entries(CONTENT_TYPES).map(([format, type]) => [type, format as Format]));

function acceptedFormat(request: FastifyRequest, reply: FastifyReply): Format {
  return FORMATS.get(preferredType(request, reply, [...FORMATS.keys()])) ?? 'json';
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
  const { provider, sort = 'asc' } = query;
  return { provider, interval: interval ?? timeframe, start, end, sort };
}

function positionOf(token: string): BarPosition {
  const [symbol, ts, seriesId] = decodePageToken(token, ['name', 'ts', 'seriesId']);
  return { symbol: String(symbol), ts: Number(ts), seriesId: Number(seriesId) };
}
