import { expect, it } from '@jest/globals';

import { RefusalPace } from '../../src/http/refusal.pace.js';

/** Waits of refusals that are due at these moments, milliseconds. */
function delaysAt(pace: RefusalPace, moments: readonly number[]): number[] {
  return moments.map((now) => pace.delayMs(now));
}

it('holds up no refusal while few are due', () => {
  expect(delaysAt(new RefusalPace(), [0, 10, 20, 500])).toEqual([0, 0, 0, 0]);
});

it('lets a hundred a second go when more are due', () => {
  expect(delaysAt(new RefusalPace(), [0, 0, 0, 5, 40])).toEqual([0, 10, 20, 25, 0]);
});

it('holds up none for longer than two seconds', () => {
  const pace = new RefusalPace();
  const delays = delaysAt(
    pace,
    Array.from({ length: 1_000 }, () => 0),
  );
  expect(delays.slice(198, 203)).toEqual([1_980, 1_990, 2_000, 2_000, 2_000]);
  expect(Math.max(...delays)).toBe(2_000);
  expect(delaysAt(pace, [400, 3_000])).toEqual([1_600, 0]);
});
