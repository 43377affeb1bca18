import { ValidationPipe, type ArgumentMetadata } from '@nestjs/common';

import { ProblemError } from './problem.error.js';
import { Remembered } from './remembered.js';

/** Queries remembered of each DTO, and the longest that is. */
const MOST_REMEMBERED = 64;
const LONGEST_REMEMBERED = 128;

/**
 * Remembers what came of short queries: producers ask the same with every request, and to validate it anew takes an
 * eighth of a request with one bar. What is remembered is shared, so handlers only read it.
 */
class RememberingPipe extends ValidationPipe {
  private readonly remembered = new Map<unknown, Remembered<unknown>>();

  /** What came of the same query before, if it is remembered. */
  recall<D>(value: unknown, metatype: (new () => D) | undefined): D | undefined {
    return this.remembered.get(metatype)?.get(JSON.stringify(value)) as D | undefined;
  }

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    // Class-transformer and class-validator pass over names that every object has, such as `__proto__` and `toString`.
    assertNoneUnknown(Object.keys(value ?? {}).filter((name) => name in Object.prototype));
    const before: unknown = this.recall(value, metadata.metatype);
    if (before !== undefined) return before;
    const result: unknown = await super.transform(value, metadata);
    const { metatype } = metadata;
    const known =
      this.remembered.get(metatype) ?? new Remembered<unknown>(MOST_REMEMBERED, LONGEST_REMEMBERED);
    this.remembered.set(metatype, known);
    known.set(JSON.stringify(value), Object.freeze(result));
    return result;
  }
}

const UNKNOWN = 'is not a parameter here';

/**
 * Lets a request go on of which no parameter is unknown.
 * @throws ProblemError `invalid-parameter`, which names each
 */
export function assertNoneUnknown(unknown: readonly string[]): void {
  if (unknown.length > 0) throw refusal(unknown.map((parameter) => ({ parameter, detail: UNKNOWN })));
}

function refusal(errors: readonly { readonly parameter: string; readonly detail: string }[]): ProblemError {
  const detail = errors.map((error) => `${error.parameter} ${error.detail}`).join('; ');
  return new ProblemError('invalid-parameter', `${detail}.`, { members: { errors } });
}

/**
 * Turns a query string into its DTO. An unknown parameter is refused: a misspelt `ends=` must not answer as if the
 * range were open.
 */
export const queryPipe = new RememberingPipe({
  transform: true,
  whitelist: true,
  forbidNonWhitelisted: true,
  exceptionFactory: (failures) => {
    const errors = failures.map(({ property, constraints = {} }) => ({
      parameter: property,
      detail:
        'whitelistValidation' in constraints ? UNKNOWN : (Object.values(constraints)[0] ?? 'is not valid'),
    }));
    return refusal(errors);
  },
});
