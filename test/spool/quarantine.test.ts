import { describe, expect, it } from '@jest/globals';

import { Quarantine } from '../../src/coordinator/spool/quarantine.js';
import { Segment } from '../../src/coordinator/spool/segment.js';
import type { SegmentStore } from '../../src/coordinator/spool/segment.store.js';

describe('damaged records that cannot be put aside', () => {
  it('hold the checkpoint at the least of them, in whatever order they were read', async () => {
    let isFull = true;
    const store = {
      quarantine: () => (isFull ? Promise.reject(new Error('ENOSPC')) : Promise.resolve('path')),
    } as unknown as SegmentStore;
    const quarantine = new Quarantine(store, {}, 0);
    const segment = new Segment('name', 'path', 1);
    for (const after of [9, 3, 12])
      await quarantine.add({ segment, offset: after, length: 1, rows: 1, after });
    expect(quarantine.holdsAt).toBe(4);
    isFull = false;
    await quarantine.retry();
    expect([quarantine.holdsAt, quarantine.count]).toEqual([Infinity, 3]);
  });
});
