import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { ROW_ERROR_CODES } from '../../src/bars/decode/row-error.codes.js';
import { PROBLEMS } from '../../src/http/problem.catalogue.js';

const [problems = '', rows = ''] = readFileSync('docs/errors.md', 'utf8').split('## Errors of rows');

describe('docs/errors.md', () => {
  it('names every problem with its status, and no other', () => {
    const documented = [...problems.matchAll(/^\| `([a-z-]+)`\s+\| (\d+)/gm)].map(
      ([, code, status]) => `${code} ${status}`,
    );
    expect(documented.sort()).toEqual(
      Object.entries(PROBLEMS)
        .map(([code, { status }]) => `${code} ${status}`)
        .sort(),
    );
  });

  it('names every error of a row with its meaning, and no other', () => {
    const documented = [...rows.matchAll(/^\| `([a-z-]+)`\s+\| (.+?)\s*\|$/gm)].map(([, code, meaning]) => [
      code,
      meaning,
    ]);
    expect(Object.fromEntries(documented)).toEqual(ROW_ERROR_CODES);
  });
});
