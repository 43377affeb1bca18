import type { IncomingMessage } from 'node:http';

import { NotFoundException, UnauthorizedException } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { requireScope } from '../config/admin-token.guard.js';
import type { Scope, TokenAuthenticator } from '../config/token.authenticator.js';
import { SECOND } from '../config/units.js';
import { AllowedMethods } from './allowed.methods.js';
import { BodyBudget } from './body.budget.js';
import {
  BODIES_LIMIT,
  BODY_LIMIT,
  BODY_TYPES,
  DOCUMENT_LIMIT,
  SMALL_BODY,
  UNSAID_BODY,
} from './body.limits.js';
import type { DrainState } from './drain.state.js';
import { ProblemFilter } from './problem.filter.js';
import { onceEnded } from './request.end.js';
import { ProblemError } from './problem.error.js';
import { requestIdOf } from './request.id.js';
import { KEEP_ALIVE_MS, REQUEST_MS } from './time.limits.js';

/** The HTTP server below Nest. */
export function createHttpAdapter(): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: DOCUMENT_LIMIT,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_MS,
    // Nest's own 503 is not a problem document; the hooks below answer during drain.
    return503OnClosing: false,
    genReqId: (request: IncomingMessage) => requestIdOf(request.headers['x-request-id']),
    // A path with a broken percent-encoding is refused before there is a route, a hook or Nest's filter.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      void reply.header('x-request-id', request.id);
      new ProblemFilter(new AllowedMethods()).send(error, request, reply);
    },
  });
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request's token may do, where that was asked before its body was read. */
    scope: Scope | undefined;
    /** What its body is expected to take up, inflated; 0 for one that is too small to be reckoned with. */
    bodyBytes: number;
    /** Gives up the room that was kept for its body, which will not be read or is done with; at its end at the latest. */
    releaseBody: (() => void) | undefined;
  }
}

/** What the hooks on every request need. */
interface HttpParts {
  readonly allowedMethods: AllowedMethods;
  readonly authenticator: TokenAuthenticator;
  readonly drain: DrainState;
  readonly filter: ProblemFilter;
}

/** Sets up what holds for every request. To be called before the routes are registered. */
export function prepareHttp(server: FastifyInstance, parts: HttpParts): void {
  const { allowedMethods, authenticator, drain, filter } = parts;
  const budget = new BodyBudget(BODIES_LIMIT);

  server.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) allowedMethods.add(one, url);
  });

  server.removeAllContentTypeParsers();
  server.addContentTypeParser(BODY_TYPES, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  server.decorateRequest('scope', undefined);
  server.decorateRequest('bodyBytes', 0);
  server.decorateRequest('releaseBody', undefined);
  server.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    if (drain.draining) void reply.header('connection', 'close');
    if (!carriesBody(request)) {
      done();
      return;
    }
    // The guard would refuse it too, but only after a body had been taken in that nobody may send.
    try {
      request.scope = authenticator.authenticate(request.headers.authorization);
      assertWanted(request);
    } catch (error) {
      filter.send(error, request, reply);
      return;
    }
    const bytes = bodyBytes(request);
    if (bytes <= SMALL_BODY || request.routeOptions.bodyLimit === DOCUMENT_LIMIT) {
      done();
      return;
    }
    if (!budget.reserve(bytes)) {
      filter.send(
        new ProblemError('queue-full', 'Too many large bodies are being taken in at this moment.', {
          retryAfterMs: SECOND,
          headers: { 'x-backpressure': 'hard' },
        }),
        request,
        reply,
      );
      return;
    }
    request.bodyBytes = bytes;
    request.releaseBody = () => {
      request.releaseBody = undefined;
      budget.release(bytes);
    };
    onceEnded(request, reply, () => request.releaseBody?.());
    done();
  });
}

/** A usual body of bars shrinks to a tenth or less. */
function bodyBytes({ headers }: FastifyRequest): number {
  const length = headers['content-length'];
  if (length === undefined) return UNSAID_BODY;
  const inflation = headers['content-encoding'] === undefined ? 1 : 10;
  return Math.min(Number(length) * inflation || 0, BODY_LIMIT);
}

/** True when a body would be read. Those of GET and HEAD are not. */
function carriesBody({ method, headers }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD') return false;
  const announced = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return method !== 'OPTIONS' || announced;
}

/** @throws UnauthorizedException, ForbiddenException, NotFoundException */
function assertWanted({ scope, is404, routeOptions }: FastifyRequest): void {
  // Nothing is told to a stranger, not even that there is nothing.
  if (scope === undefined) throw new UnauthorizedException('A known bearer token is needed.');
  if (is404) throw new NotFoundException();
  requireScope(scope, routeOptions.config.scope ?? 'admin');
}
