import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';

import { BodyBudget } from '../http/body.budget.js';
import { BODIES_LIMIT, BODY_LIMIT, SMALL_BODY } from '../http/body.limits.js';
import { clientGone } from '../http/body.reader.js';
import type { ProblemFilter } from '../http/problem.filter.js';
import { queryPipe } from '../http/query.pipe.js';
import type { RefusalPace } from '../http/refusal.pace.js';
import { onceEnded } from '../http/request.end.js';
import type { BarsController } from './bars.controller.js';
import { IngestQuery } from './dto/ingest.query.js';
import type { IngestService } from './ingest/ingest.service.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Gives up the room that was kept in the spool for its body. */
    releaseRoom: (() => void) | undefined;
    /** Aborted when the request has ended, so that what still waits or is decoded for it is given up. */
    gone: AbortSignal | undefined;
  }
}

/** What POST /v1/bars is answered with. */
interface IngestParts {
  readonly bars: BarsController;
  readonly ingest: IngestService;
  readonly filter: ProblemFilter;
  readonly pace: RefusalPace;
}

/** Stands for a sender without a token. The hook before lets none through. */
const NOBODY = {};

/** Answers an error. */
type Refuse = ProblemFilter['send'];

/**
 * Lets POST /v1/bars call its controller past Nest's pipeline, a sixth of what a request with one bar costs
 * (docs/decisions/0012). Query and filter are the same, in the same order; what will be refused whatever is in it
 * is refused unread. To be called before the routes are registered.
 */
export function shortenIngest(server: FastifyInstance, { bars, ingest, filter, pace }: IngestParts): void {
  const refuse = pacedRefusal(filter, pace);
  server.decorateRequest('releaseRoom', undefined);
  server.decorateRequest('gone', undefined);
  server.addHook('onRoute', (route) => {
    if (route.method !== 'POST' || route.url !== '/v1/bars') return;
    route.bodyLimit = BODY_LIMIT;
    route.onRequest = [route.onRequest ?? [], refuseUnread(ingest, refuse)].flat();
    route.handler = async (request, reply) => {
      try {
        const query =
          queryPipe.recall(request.query, IngestQuery) ??
          ((await queryPipe.transform(request.query, {
            type: 'query',
            metatype: IngestQuery,
          })) as IngestQuery);
        void reply.status(202);
        return await bars.post(query, request, reply);
      } catch (error) {
        refuse(error, request, reply);
        return reply;
      }
    };
  });
}

function refuseUnread(ingest: IngestService, refuse: Refuse): onRequestHookHandler {
  const budget = new BodyBudget(BODIES_LIMIT);
  return (request, reply, done) => {
    try {
      if (isSmall(request)) ingest.assertTaking();
      else reserveRoom(request, reply, budget, ingest);
    } catch (error) {
      refuse(error, request, reply);
      return;
    }
    done();
  };
}

/** Keeps room in memory and in the spool, which a large body takes as it comes. */
function reserveRoom(
  request: FastifyRequest,
  reply: FastifyReply,
  budget: BodyBudget,
  ingest: IngestService,
): void {
  const announced = Math.min(bytesAnnounced(request), BODY_LIMIT);
  // One object stands for a token.
  const memory = budget.reserve(announced, request.grant ?? NOBODY);
  const spool = ingest.reserve(announced);
  request.releaseRoom = spool.release;
  request.bodyRoom = {
    grow: (bytes) => {
      memory.grow(bytes);
      spool.grow(bytes);
    },
    release: () => {
      memory.release();
      spool.release();
    },
  };
  const gone = new AbortController();
  request.gone = gone.signal;
  onceEnded(request, reply, () => {
    request.bodyRoom?.release();
    gone.abort(clientGone());
  });
}

/** Whether its body takes no room worth the name: a compressed one may grow, and one without a length may be large. */
function isSmall(request: FastifyRequest): boolean {
  return request.headers['content-encoding'] === undefined && bytesAnnounced(request) <= SMALL_BODY;
}

/** Bytes of its body, as far as its head tells. */
function bytesAnnounced({ headers }: FastifyRequest): number {
  const length = headers['content-length'];
  return length === undefined ? SMALL_BODY + 1 : Number(length) || 0;
}

function pacedRefusal(filter: ProblemFilter, pace: RefusalPace): Refuse {
  return (error, request, reply) => {
    // A pipelined answer that has not got its turn yet holds up nothing by waiting.
    const delay = reply.raw.socket === null ? 0 : pace.delayOf(error);
    if (delay === 0) {
      filter.send(error, request, reply);
      return;
    }
    // A body, which nobody holds any more, does not take up the room of others while its refusal waits.
    request.bodyRoom?.release();
    const timer = setTimeout(() => filter.send(error, request, reply), delay);
    onceEnded(request, reply, () => clearTimeout(timer));
  };
}
