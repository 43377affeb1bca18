import { applyDecorators } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, getSchemaPath } from '@nestjs/swagger';

import { BACKPRESSURE_LEVELS } from '../core/backpressure.level.js';
import { ProblemDto } from './problem.dto.js';
import { PROBLEMS, type ProblemCode } from './problem.catalogue.js';

/** Documents that a bearer token is needed. */
export const ApiSecured = () => ApiBearerAuth('bearer');

/** The level of the queue, as a header tells it. */
export const BACKPRESSURE_HEADER = {
  description: 'Level of the queue: `ok` keep the rate, `soft` slow down, `hard` stop.',
  schema: { type: 'string' as const, enum: [...BACKPRESSURE_LEVELS] },
};

/** When to come back, as a header tells it. */
export const RETRY_AFTER_HEADER = {
  description: 'Seconds to wait before asking again.',
  schema: { type: 'integer' as const, minimum: 1 },
};

/** What comes with the refusals of a status. */
const HEADERS: Readonly<Record<number, NonNullable<Parameters<typeof ApiResponse>[0]['headers']>>> = {
  401: { 'WWW-Authenticate': { description: 'Always `Bearer`.', schema: { type: 'string' } } },
  429: { 'Retry-After': RETRY_AFTER_HEADER, 'X-Backpressure': BACKPRESSURE_HEADER },
  503: { 'Retry-After': RETRY_AFTER_HEADER },
};

/** Documents the refusals of an operation, with an example of each, one response per status. */
export function ApiProblems(...codes: ProblemCode[]): MethodDecorator {
  const byStatus = groupByStatus(codes);
  return applyDecorators(
    ...[...byStatus].map(([status, same]) =>
      ApiResponse({
        status,
        description: same.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
        content: {
          'application/problem+json': {
            schema: { $ref: getSchemaPath(ProblemDto) },
            examples: Object.fromEntries(same.map((code) => [code, { value: ProblemDto.example(code) }])),
          },
        },
        headers: HEADERS[status] ?? {},
      }),
    ),
  );
}

function groupByStatus(codes: readonly ProblemCode[]): Map<number, ProblemCode[]> {
  const groups = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return groups;
}
