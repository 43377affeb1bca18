import { afterEach, describe, expect, it } from '@jest/globals';

import { KIB, MIB } from '../../src/config/units.js';
import { SpoolWorld } from './spool.world.js';

describe('What waits for the disk', () => {
  let world: SpoolWorld;

  afterEach(() => world.close());

  /** Appends so many entries at once. @returns how many each write covered */
  async function writesOf(entries: number, bytes: number): Promise<number[]> {
    const writes: number[] = [];
    let safe = 0;
    const onSync = () => writes.push(0);
    world = new SpoolWorld({ maxBytes: 512 * MIB, segmentBytes: 512 * MIB, observer: { onSync } });
    await world.start();
    const appended = Array.from({ length: entries }, async () => {
      if (await world.append(bytes)) safe++;
      writes.push((writes.pop() ?? 0) + 1);
    });
    await Promise.all(appended);
    expect(safe).toBe(entries);
    return writes;
  }

  it('is one write when it is little', async () => {
    // The first finds the disk idle and waits for nobody.
    expect(await writesOf(1_000, KIB - 36)).toEqual([1, 999]);
  });

  it('is written a mebibyte at a time when it is more', async () => {
    expect(await writesOf(4, 512 * KIB - 36)).toEqual([1, 2, 1]);
  });

  it('is written by halves when it is more than two', async () => {
    expect(await writesOf(9, 512 * KIB - 36)).toEqual([1, 4, 2, 2]);
  });

  it('is written in pieces of at most 16 MiB', async () => {
    expect(await writesOf(41, MIB - 36)).toEqual([1, 16, 12, 6, 3, 1, 1, 1]);
  });
});
