import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';

import { BODY_LIMIT } from '../http/body.limits.js';
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
  }
}

/** What POST /v1/bars is answered with. */
interface IngestParts {
  readonly bars: BarsController;
  readonly ingest: IngestService;
  readonly filter: ProblemFilter;
  readonly pace: RefusalPace;
}

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
  return (request, reply, done) => {
    try {
      reserveRoom(request, ingest);
    } catch (error) {
      refuse(error, request, reply);
      return;
    }
    done();
  };
}

/** A small body is not reckoned with. */
function reserveRoom(request: FastifyRequest, ingest: IngestService): void {
  const { bodyBytes, releaseBody } = request;
  if (releaseBody === undefined) {
    ingest.assertTaking();
    return;
  }
  const releaseRoom = ingest.reserve(bodyBytes);
  request.releaseRoom = releaseRoom;
  request.releaseBody = () => {
    releaseBody();
    releaseRoom();
  };
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
    request.releaseBody?.();
    const timer = setTimeout(() => filter.send(error, request, reply), delay);
    onceEnded(request, reply, () => clearTimeout(timer));
  };
}
