import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';

import { PacedLine } from '../../src/logging/paced.line.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

it('a line comes at once, and later ones once a minute with all since the last', () => {
  const lines: string[] = [];
  const line = new PacedLine<string>((count, newest) => lines.push(`${count} ${newest}`));
  for (const one of ['a', 'b', 'c']) line.note(one);
  expect(lines).toEqual(['1 a']);
  jest.advanceTimersByTime(60_000);
  expect(lines).toEqual(['1 a', '2 c']);
  line.note('d');
  jest.advanceTimersByTime(120_000);
  expect(lines).toEqual(['1 a', '2 c', '1 d']);
  line.note('e');
  expect(lines).toEqual(['1 a', '2 c', '1 d', '1 e']);
});
