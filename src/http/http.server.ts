import type { IncomingMessage } from 'node:http';

import { NotFoundException, UnauthorizedException } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { requireScope } from '../config/admin-token.guard.js';
import type { Grant } from '../config/grant.js';
import type { TokenAuthenticator } from '../config/token.authenticator.js';
import type { AllowedMethods } from './allowed.methods.js';
import type { BodyRoom } from './body.budget.js';
import { BODY_LIMIT, BODY_TYPES, DOCUMENT_LIMIT } from './body.limits.js';
import { readBody } from './body.reader.js';
import { answerClientErrors, assertAnswerable } from './client.errors.js';
import { compressAnswers } from './compression.js';
import type { ConnectionLimit } from './connection.limit.js';
import type { DrainState } from './drain.state.js';
import { ProblemError } from './problem.error.js';
import type { ProblemFilter } from './problem.filter.js';
import { RefusedInput } from './refused.input.js';
import { requestIdOf } from './request.id.js';
import { SECURITY_HEADERS } from './security.headers.js';
import { HEAD_MS, KEEP_ALIVE_MS } from './time.limits.js';

/** The HTTP server below Nest. */
export function createHttpAdapter(): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: DOCUMENT_LIMIT,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Nest's own 503 is not a problem document; the hooks below answer during drain.
    return503OnClosing: false,
    // Node's refusal has no body; `assertAnswerable` refuses such a request.
    http: { requireHostHeader: false },
    genReqId: (request: IncomingMessage) => requestIdOf(request.headers['x-request-id']),
    // A path with a broken percent-encoding is refused before there is a route, a hook or Nest's filter.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      void reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
      request.server.problems.send(error, request, reply);
    },
  });
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json/;

declare module 'fastify' {
  interface FastifyInstance {
    /** Answers errors that no hook or handler sees. */
    problems: ProblemFilter;
  }
  interface FastifyRequest {
    /** What the request's token may do; undefined until that was asked. */
    grant: Grant | undefined;
    /** Room for its body, where its route reckons with it; released at the end of the request at the latest. */
    bodyRoom: BodyRoom | undefined;
    /** True when its body was refused for what came of it, or was announced. */
    bodyRefused: boolean;
  }
}

/** What the hooks on every request need. */
interface HttpParts {
  readonly allowedMethods: AllowedMethods;
  readonly authenticator: TokenAuthenticator;
  readonly connections: ConnectionLimit;
  readonly drain: DrainState;
  readonly filter: ProblemFilter;
}

/** Sets up what holds for every request. To be called before the routes are registered. */
export function prepareHttp(server: FastifyInstance, parts: HttpParts): void {
  const { allowedMethods, authenticator, connections, drain, filter } = parts;
  server.server.headersTimeout = HEAD_MS;
  server.decorate('problems', filter);
  const refused = new RefusedInput();
  answerClientErrors(server.server, filter, refused);

  server.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) allowedMethods.add(one, url);
  });

  server.removeAllContentTypeParsers();
  server.addContentTypeParser(BODY_TYPES, readBody);

  server.decorateRequest('grant', undefined);
  server.decorateRequest('bodyRoom', undefined);
  server.decorateRequest('bodyRefused', false);
  // A client that waited to be asked for its body may send it after a refusal, or not: the connection ends with either.
  const isLast = ({ headers }: FastifyRequest) => drain.draining || headers.expect !== undefined;
  server.addHook('onRequest', (request, reply, done) => {
    void reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
    if (isLast(request)) void reply.header('connection', 'close');
    try {
      request.grant = authenticator.authenticate(request.headers.authorization);
      connections.admit(request.raw.socket, reply.raw, request.routeOptions.url, request.grant !== undefined);
      assertAnswerable(request.raw);
      // The guard would refuse it too, but only after a body had been taken in that nobody may send.
      if (carriesBody(request)) {
        request.grant ??= authenticator.authenticate(request.headers.authorization, request.socket);
        assertWanted(request);
      }
    } catch (error) {
      filter.send(error, request, reply);
      return;
    }
    done();
  });

  // After all that refuses a request unread.
  server.addHook('preParsing', (request, reply, _body, done) => {
    if (request.headers.expect !== undefined) reply.raw.writeContinue();
    done();
  });

  server.addHook('onSend', (request, reply, payload, done) => {
    const { raw } = request;
    if (!raw.complete) refused.slowDown(raw.socket, () => raw.complete);
    // Fastify would close it, and a client that sends all before it reads would find a broken connection, and no answer.
    if (request.bodyRefused && !isLast(request)) void reply.removeHeader('connection');
    done(null, withLineEnd(payload, reply));
  });
  compressAnswers(server);
}

/** JSON ends with a line end: after curl, the prompt of a shell stands on a line of its own. */
function withLineEnd(payload: unknown, reply: FastifyReply): unknown {
  if (typeof payload !== 'string' || payload.endsWith('\n')) return payload;
  return JSON_TYPE.test(String(reply.getHeader('content-type'))) ? `${payload}\n` : payload;
}

/** True when a body would be read. Those of GET and HEAD are not. */
function carriesBody({ method, headers }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD') return false;
  const announced = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return method !== 'OPTIONS' || announced;
}

/** @throws UnauthorizedException, ForbiddenException, NotFoundException, ProblemError `unsupported-media-type` */
function assertWanted({ grant, is404, headers, routeOptions }: FastifyRequest): void {
  // Nothing is told to a stranger, not even that there is nothing.
  if (grant === undefined) throw new UnauthorizedException('A known bearer token is needed.');
  if (is404) throw new NotFoundException();
  requireScope(grant, routeOptions.config.scopes);
  // Bars, whose bodies alone may be long, are inflated by their route.
  if (routeOptions.bodyLimit !== BODY_LIMIT && !/^(?:identity)?$/i.test(headers['content-encoding'] ?? ''))
    throw new ProblemError('unsupported-media-type', 'Only POST /v1/bars takes compressed bodies.', {
      headers: { 'accept-encoding': 'identity' },
    });
}
