import { HttpException } from '@nestjs/common';
import { expect, it } from '@jest/globals';

import { problemOf } from '../../src/http/problem.mapping.js';

const SECRET = 'connect ECONNREFUSED 10.1.2.3:5432';

it.each([500, 502, 503, 599])(
  'An exception of status %i tells the client nothing of its message, and keeps it for the log',
  (status) => {
    const error = new HttpException(SECRET, status);
    const problem = problemOf(error);
    expect([problem.code, problem.cause]).toEqual(['internal-error', error]);
    expect(problem.message).not.toContain(SECRET);
  },
);

it('An exception below 500 tells the client what is wrong', () => {
  expect(problemOf(new HttpException('the name is too long', 499)).message).toContain('the name is too long');
});
