import { ValidationPipe } from '@nestjs/common';

import { ProblemError } from './problem.error.js';

/**
 * Turns a query string into its DTO. An unknown parameter is refused: a misspelt `ends=` must not answer as if the
 * range were open.
 */
export const queryPipe = new ValidationPipe({
  transform: true,
  whitelist: true,
  forbidNonWhitelisted: true,
  exceptionFactory: (failures) => {
    const errors = failures.map(({ property, constraints = {} }) => ({
      parameter: property,
      detail:
        'whitelistValidation' in constraints
          ? 'is not a parameter here'
          : (Object.values(constraints)[0] ?? 'is not valid'),
    }));
    const detail = errors.map((error) => `${error.parameter} ${error.detail}`).join('; ');
    return new ProblemError('invalid-parameter', `${detail}.`, { members: { errors } });
  },
});
