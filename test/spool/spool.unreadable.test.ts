import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { failureOf } from './simulated.disk.js';
import { CHECKPOINT_MS, DIRECTORY, SpoolWorld, startTime, stopTime } from './spool.world.js';

beforeEach(stopTime);
afterEach(startTime);

const RECORD = 9_000;
const BLOCK = 4_096;
const segmentPath = (world: SpoolWorld, index: number) => `${DIRECTORY}/${world.segments()[index] ?? ''}`;

/** Asks again and again, as the feed does, and tells what came and how often the disk said no. */
async function readPatiently(world: SpoolWorld): Promise<{ ids: number[]; refusals: number }> {
  const ids: number[] = [];
  let refusals = 0;
  for (;;) {
    try {
      const read = await world.read(1);
      if (read.length === 0) return { ids, refusals };
      ids.push(...read.map(({ id }) => id));
    } catch (error) {
      if (++refusals > 100) throw error;
    }
  }
}

/** Entries on disk only, in the segments of a process that is gone. */
async function filled(entries: number, segmentBytes = 1024 * 1024): Promise<SpoolWorld> {
  const world = new SpoolWorld({ segmentBytes, maxBytes: 16 * 1024 * 1024 });
  await world.start();
  for (let i = 0; i < entries; i++) await world.append(RECORD);
  await world.kill();
  return world;
}

describe('bytes that the disk does not read', () => {
  it.each([
    ['in a payload', RECORD + 36 + BLOCK, [0, 2, 3, 4, 5]],
    ['in the first header', 0, [1, 2, 3, 4, 5]],
    ['at the very end', 6 * (RECORD + 36) - 1, [0, 1, 2, 3, 4]],
  ])('%s cost the records in that block, and nothing behind it', async (_, at, survivors) => {
    const world = await filled(6);
    const path = segmentPath(world, 0);
    const from = at - (at % BLOCK);
    world.disk.unreadable = (of, begin, end) => of === path && begin < from + BLOCK && end > from;
    await world.start();
    const { ids, refusals } = await readPatiently(world);
    expect(ids).toEqual(survivors);
    // It was tried more than once before anything was given up.
    expect(refusals).toBeGreaterThan(1);
    expect(world.quarantined.length).toBeGreaterThan(0);
    expect(world.spool.snapshot().quarantined).toBeGreaterThan(0);

    // Nothing is held up: the rest is settled, room is given back, and the original is kept for people.
    world.settleAll();
    await world.pass(2 * CHECKPOINT_MS);
    expect(await world.append(50)).toBe(true);
    expect(world.segments()).not.toContain(path.slice(DIRECTORY.length + 1));
    expect(world.quarantineFiles()).toContain(path.slice(DIRECTORY.length + 1));
    expect((await readPatiently(world)).ids).toEqual([6]);
    world.settleAll();
    expect(world.spool.snapshot().rows).toBe(0);
    await world.close();
  });

  it('for a moment only cost nothing', async () => {
    const world = await filled(6);
    let left = 4;
    await world.start();
    world.disk.unreadable = () => left-- > 0;
    expect(await readPatiently(world)).toEqual({ ids: [0, 1, 2, 3, 4, 5], refusals: 4 });
    expect(world.quarantined).toEqual([]);
    world.settleAll();
    await world.close();
    expect(world.segments()).toEqual([]);
  });

  it('as the process has no more file descriptors are asked for until it has', async () => {
    const world = await filled(3);
    await world.start();
    let left = 50;
    world.disk.beforeEach = (operation, path) => {
      if (operation === 'open' && path.endsWith('.seg') && left-- > 0) throw failureOf('EMFILE');
    };
    expect(await readPatiently(world)).toEqual({ ids: [0, 1, 2], refusals: 50 });
    await world.close();
  });
});

describe('a segment that the disk does not open', () => {
  it('keeps neither the start nor what lies in the others', async () => {
    const world = await filled(6, 2 * RECORD);
    const lost = segmentPath(world, 1);
    world.disk.beforeEach = (operation, path) => {
      if (operation === 'open' && path === lost) throw failureOf('EIO');
    };
    await world.start();
    expect((await readPatiently(world)).ids).toEqual([0, 1, 4, 5]);
    expect(world.quarantined).toMatchObject([{ file: lost }]);
    world.settleAll();
    await world.pass(2 * CHECKPOINT_MS);
    expect(world.segments()).toEqual([]);
    expect(world.quarantineFiles()).toEqual([lost.slice(DIRECTORY.length + 1)]);
    expect(await world.append(50)).toBe(true);
    await world.close();
  });

  it('at the start only is read after all, also when it is the last, and entries that follow it too', async () => {
    const world = await filled(6, 2 * RECORD);
    const late = segmentPath(world, 2);
    world.disk.beforeEach = (operation, path) => {
      if (operation === 'open' && path === late) throw failureOf('EIO');
    };
    await world.start();
    expect(await world.append(RECORD)).toBe(true);
    world.disk.beforeEach = undefined;
    expect((await readPatiently(world)).ids).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await world.kill();
    await world.start();
    expect((await readPatiently(world)).ids).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(world.quarantined).toEqual([]);
    await world.close();
  });
});

describe('a checkpoint', () => {
  it('that cannot be read means that all is read again, and is made anew', async () => {
    const world = await filled(3);
    world.disk.unreadable = (path) => path.endsWith('/checkpoint');
    await world.start();
    expect((await readPatiently(world)).ids).toEqual([0, 1, 2]);
    expect(world.retries).toContain('reading the checkpoint');
    world.disk.unreadable = undefined;
    world.settleAll();
    await world.close();
    await world.start();
    expect((await readPatiently(world)).ids).toEqual([]);
    await world.close();
  });

  it('whose place on the disk takes no bytes gets another', async () => {
    const world = await filled(3);
    await world.start();
    world.disk.beforeEach = (operation, path) => {
      if (operation === 'write' && path.endsWith('/checkpoint')) throw failureOf('EIO');
    };
    await readPatiently(world);
    world.settleAll();
    await world.pass(3 * CHECKPOINT_MS);
    await world.kill();
    world.disk.beforeEach = undefined;
    await world.start();
    expect((await readPatiently(world)).ids).toEqual([]);
    await world.close();
  });
});

describe('an entry that is never settled', () => {
  it('keeps its own segment and no other', async () => {
    const world = await filled(8, 2 * RECORD);
    await world.start();
    await readPatiently(world);
    world.settle(0);
    while (world.unsettled.length > 1) world.settle(1);
    const [kept] = world.segments();
    await world.pass(2 * CHECKPOINT_MS);
    expect(world.segments()).toEqual([kept]);
    await world.kill();
    await world.start();
    expect((await readPatiently(world)).ids).toEqual([1]);
    await world.close();
  });
});

describe('a first start on a full disk', () => {
  it.each(['make-directory', 'create', 'write', 'sync-directory'] as const)(
    'that fails at %s succeeds, takes nothing, and heals when there is room',
    async (failing) => {
      const world = new SpoolWorld();
      world.disk.beforeEach = (operation) => {
        if (operation === failing) throw failureOf('ENOSPC');
      };
      await world.start();
      expect(world.faults).toHaveLength(1);
      expect(world.spool.snapshot().fault?.name).toBe('SpoolFullError');
      expect(await world.append(40)).toBe(false);
      await world.pass(5_000);
      expect(world.healed).toBe(0);
      expect(await world.append(40)).toBe(false);

      world.disk.beforeEach = undefined;
      await world.pass(1_000);
      expect(world.healed).toBe(1);
      expect(await world.append(40)).toBe(true);
      await world.cutPower('nothing');
      await world.start();
      expect(await world.read()).toHaveLength(1);
      world.settleAll();
      await world.close();
      await world.start();
      expect(await world.read()).toEqual([]);
      await world.close();
    },
  );
});
