import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import { Segment } from '../../src/coordinator/spool/segment.js';
import { type UnreadRange, UnreadRanges } from '../../src/coordinator/spool/unread.ranges.js';
import { failureOf } from './simulated.disk.js';
import { startTime, stopTime } from './spool.world.js';

beforeEach(stopTime);
afterEach(startTime);

const range = (): UnreadRange => ({
  segment: new Segment('0000000000000001.seg', '/spool/0000000000000001.seg', 1),
  ...{ offset: 0, end: 100, after: 0, header: undefined, error: failureOf('EIO') },
});

describe('a place that the disk does not read', () => {
  it('rests as long as the last try took, so that all else is read meanwhile', () => {
    const unread = new UnreadRanges(() => undefined);
    const [first, second, third] = [range(), range(), range()];
    const dueAfter = (): number => {
      const from = performance.now();
      while (!unread.due) jest.advanceTimersByTime(250);
      return performance.now() - from;
    };
    unread.add(first);
    expect(dueAfter()).toBe(250);
    unread.add(second, first, 90_000);
    unread.remove(first);
    expect(dueAfter()).toBe(90_000);
    // A disk that fails at once again is asked every half a minute.
    unread.add(third, second, 1);
    unread.remove(second);
    expect(dueAfter()).toBe(30_000);
    unread.close();
  });
});
