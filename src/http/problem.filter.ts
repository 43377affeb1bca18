import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { SECOND } from '../config/units.js';
import { reasonOf } from '../logging/error.text.js';
import { PacedLine } from '../logging/paced.line.js';
import { AllowedMethods } from './allowed.methods.js';
import type { Answer } from './answer.js';
import { type ProblemCode, PROBLEMS } from './problem.catalogue.js';
import { ProblemError } from './problem.error.js';
import { problemOf } from './problem.mapping.js';

/** Where the codes are explained; the `type` of a problem is an identifier and need not resolve. */
const TYPE_PREFIX = 'urn:market-data-store:problem:';

/** Logged once by who has the trouble: an entry for each request refused meanwhile would fill a disk that is full. */
const LOGGED_ELSEWHERE: ReadonlySet<string> = new Set([
  'spool-full',
  'spool-unavailable',
  'too-many-connections',
  'too-many-readers',
  'starting',
  'draining',
]);

/** What an answer to an error tells of its request. */
type Asked = Pick<FastifyRequest, 'id' | 'method' | 'url'>;

/** Answers every error as RFC 9457 problem details, and logs those that are ours. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('http');
  /** Readers come back as often as they like. */
  private readonly readers = new PacedLine<ProblemError>((count, { message }) =>
    this.logger.warn(`${message} (refused since the last such line: ${count})`),
  );

  /** `onRefused` hears of every problem that is answered. */
  constructor(
    private readonly allowedMethods: AllowedMethods,
    private readonly onRefused: (code: ProblemCode) => void = () => undefined,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    this.send(error, request, reply);
  }

  /** Answers the problem that the error is. */
  send(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const { status, headers, body } = this.answer(error, request);
    // A body that is half on its way cannot be turned into an error document.
    if (reply.sent || reply.raw.headersSent) {
      reply.raw.destroy();
      return;
    }
    void reply.headers(headers).status(status).send(body);
  }

  /** The problem that the error is, as it is answered. */
  answer(error: unknown, request: Asked): Answer {
    const problem = this.methodProblem(problemOf(error), request);
    this.onRefused(problem.code);
    if (problem.code === 'too-many-readers') this.readers.note(problem);
    if (problem.status >= 500 && !LOGGED_ELSEWHERE.has(problem.code)) this.log(problem, request);
    const { members = {}, retryAfterMs, headers = {} } = problem.extras;
    const retryAfter =
      retryAfterMs === undefined
        ? {}
        : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / SECOND))) };
    return {
      status: problem.status,
      headers: { ...retryAfter, ...headers, 'content-type': 'application/problem+json; charset=utf-8' },
      body: `${JSON.stringify({
        type: `${TYPE_PREFIX}${problem.code}`,
        title: PROBLEMS[problem.code].title,
        status: problem.status,
        detail: problem.detail,
        instance: pathOf(request),
        code: problem.code,
        request_id: request.id,
        ...members,
      })}\n`,
    };
  }

  /** A known address with another method is no "not found". */
  private methodProblem(problem: ProblemError, request: Asked): ProblemError {
    if (problem.code !== 'not-found') return problem;
    const allowed = this.allowedMethods.of(pathOf(request));
    if (allowed.length === 0 || allowed.includes(request.method)) {
      return new ProblemError('not-found', `There is nothing at ${pathOf(request)}.`);
    }
    return new ProblemError('method-not-allowed', `${pathOf(request)} takes ${allowed.join(', ')}.`, {
      headers: { allow: allowed.join(', ') },
    });
  }

  private log(problem: ProblemError, request: Asked): void {
    const err = problem.cause;
    const where = { request_id: request.id, method: request.method, path: pathOf(request) };
    // A state of what the service depends on: a stack for each request refused meanwhile would bury the log.
    if (problem.status === 503)
      this.logger.warn({
        msg: err === undefined ? problem.message : `${problem.code}: ${reasonOf(err)}`,
        ...where,
      });
    // As `err` the logger writes message and stack of the whole chain of causes.
    else this.logger.error({ msg: problem.message, ...where, err: err ?? problem });
  }
}

/** The path without the query, which may be long. */
function pathOf(request: Asked): string {
  return request.url.split('?', 1)[0] ?? request.url;
}
