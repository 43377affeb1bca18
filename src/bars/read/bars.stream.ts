import { Readable } from 'node:stream';

import type { FastifyReply, FastifyRequest } from 'fastify';

import { onceEnded } from '../../http/request.end.js';
import { withDatabaseProblem } from '../ingest/write.problems.js';
import type { BarExport } from './bar.export.js';
import { BAR_LAYOUTS, CONTENT_TYPES, type TextFormat } from './bar.layout.js';
import type { BarQuery } from './bar.query.js';

/** What a stream of bars needs to know. */
export interface BarsStreamOptions {
  /** A stream of which nothing moves for this long is cut: it holds a connection and a snapshot of the database. */
  readonly stallLimitMs: number;
  readonly onStalled: () => void;
}

/** Sends a whole range to a client as fast as it reads. */
export class BarsStream {
  constructor(
    private readonly bars: BarExport,
    private readonly options: BarsStreamOptions,
  ) {}

  /** Answers with the range. A client that hangs up frees its connection to the database at once. */
  async send(
    range: BarQuery,
    format: TextFormat,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    const stopped = new AbortController();
    onceEnded(request, reply, () => stopped.abort());
    const timer = setTimeout(() => {
      this.options.onStalled();
      stopped.abort();
      if (reply.raw.headersSent) reply.raw.destroy();
    }, this.options.stallLimitMs);
    stopped.signal.addEventListener('abort', () => clearTimeout(timer));

    const pieces = this.bars.pieces(range, format, stopped.signal);
    // Awaited before the status is sent: a database that is away is still answered as such.
    const first = await withDatabaseProblem(() => pieces.next()).catch((error: unknown) => {
      // What an ended connection says to a client that has hung up is no failure.
      if (!request.raw.socket.destroyed) throw error;
    });
    if (first === undefined) return;
    void reply
      .type(CONTENT_TYPES[format])
      .send(Readable.from(inMotion(BAR_LAYOUTS[format].header, first, pieces, timer)));
  }
}

/** The whole text, in pieces; the timer starts anew whenever the database gave one or the client took one. */
async function* inMotion(
  header: string,
  first: IteratorResult<Buffer, void>,
  pieces: AsyncGenerator<Buffer, void>,
  timer: NodeJS.Timeout,
): AsyncGenerator<Buffer> {
  if (header !== '') yield Buffer.from(header);
  if (first.done === true) return;
  yield first.value;
  timer.refresh();
  for await (const piece of pieces) {
    timer.refresh();
    yield piece;
    timer.refresh();
  }
}
