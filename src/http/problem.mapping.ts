import { HttpException } from '@nestjs/common';

import { TYPES_TAKEN } from './body.limits.js';
import type { ProblemCode } from './problem.catalogue.js';
import { ProblemError } from './problem.error.js';

/** Fastify's own refusals (fastify.dev, "Errors"), made before a handler is reached. */
const FASTIFY_PROBLEMS: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed-body',
};

/** Where Fastify says less than helps. */
const DETAILS: Partial<Record<ProblemCode, string>> = {
  'unsupported-media-type': TYPES_TAKEN,
};

const STATUS_PROBLEMS: Readonly<Record<number, ProblemCode>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  413: 'body-too-large',
  415: 'unsupported-media-type',
};

/** The problem that an error is for the client. Whatever is not expected becomes an internal error. */
export function problemOf(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof HttpException) {
    const status = error.getStatus();
    const code = STATUS_PROBLEMS[status] ?? (status < 500 ? 'bad-request' : 'internal-error');
    if (code === 'unsupported-media-type') return withStandardHeaders(code, TYPES_TAKEN, error);
    return withStandardHeaders(code, status < 500 ? error.message : SORRY, error);
  }
  if (error instanceof Error && 'code' in error && 'statusCode' in error) {
    const code = FASTIFY_PROBLEMS[String(error.code)];
    if (code !== undefined) return withStandardHeaders(code, DETAILS[code] ?? error.message, error);
    if (Number(error.statusCode) < 500) return withStandardHeaders('bad-request', error.message, error);
  }
  return new ProblemError('internal-error', SORRY, { cause: error });
}

const SORRY = 'Something went wrong on our side; the request id finds it in the log of the service.';

function withStandardHeaders(code: ProblemCode, detail: string, cause: unknown): ProblemError {
  if (code === 'unauthorized') {
    return new ProblemError(code, detail, { cause, headers: { 'www-authenticate': 'Bearer' } });
  }
  return new ProblemError(code, detail, { cause });
}
