import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { failureOf } from './simulated.disk.js';
import { CHECKPOINT_MS, DIRECTORY, SpoolWorld, startTime, stopTime } from './spool.world.js';

beforeEach(stopTime);
afterEach(startTime);

const RECORD = 9_000;
const BLOCK = 4_096;
const segmentPath = (world: SpoolWorld, index: number) => `${DIRECTORY}/${world.segments()[index] ?? ''}`;

const LONGEST_PAUSE_MS = 30_000;

/** The places that the disk has not read until now are tried again, and again if need be. */
async function waitForSecondTry(world: SpoolWorld): Promise<void> {
  await world.pass(LONGEST_PAUSE_MS + 1_000);
}

async function readIds(world: SpoolWorld): Promise<number[]> {
  return (await world.read()).map(({ id }) => id);
}

function totalsOf(world: SpoolWorld) {
  return world.spool.snapshot().totals;
}

/** Entries on disk only, in the segments of a process that is gone. */
async function filled(entries: number, segmentBytes = 1024 * 1024): Promise<SpoolWorld> {
  const world = new SpoolWorld({ segmentBytes, maxBytes: 16 * 1024 * 1024 });
  await world.start();
  for (let i = 0; i < entries; i++) await world.append(RECORD);
  await world.pass(CHECKPOINT_MS);
  await world.kill();
  return world;
}

describe('bytes that the disk does not read', () => {
  it.each([
    ['in a payload', RECORD + 36 + BLOCK, [0, 2, 3, 4, 5], [1]],
    ['in the first header', 0, [1, 2, 3, 4, 5], [0]],
    ['at the very end', 6 * (RECORD + 36) - 1, [0, 1, 2, 3, 4], [5]],
    ['across two records', RECORD - 2_000, [2, 3, 4, 5], [0, 1]],
  ])(
    '%s hold up nothing else, and are read when the disk reads them, an hour later',
    async (_, at, others, late) => {
      const world = await filled(6);
      const path = segmentPath(world, 0);
      const from = at - (at % BLOCK);
      const to = late.length > 1 ? from + 2 * BLOCK : from + BLOCK;
      world.disk.unreadable = (of, begin, end) => of === path && begin < to && end > from;
      await world.start();
      expect(await readIds(world)).toEqual(others);
      expect(world.spool.snapshot().unread.places).toBe(late.length);
      expect(totalsOf(world)).toMatchObject({
        accepted: 6,
        spooled: others.length,
        unread: late.length,
        residual: 0,
      });

      // All else is settled and kept long enough; what was not read stays, in this life and in the next.
      world.settleAll();
      await world.pass(2 * CHECKPOINT_MS);
      expect(await world.append(50)).toBe(true);
      await world.read();
      world.settleAll();
      await world.pass(3_600_000);
      expect(world.segments()).toContain(path.slice(DIRECTORY.length + 1));
      await world.kill();
      await world.start();
      await world.read();
      await world.pass(3_600_000);
      expect(totalsOf(world)).toMatchObject({ unread: late.length, residual: 0 });
      expect(world.missing()).toEqual(late);
      expect([world.quarantined, world.quarantineFiles()]).toEqual([[], []]);

      world.disk.unreadable = undefined;
      await waitForSecondTry(world);
      await world.read();
      expect(world.missing()).toEqual([]);
      world.settleAll();
      await world.pass(2 * CHECKPOINT_MS);
      expect(totalsOf(world)).toMatchObject({ committed: 7, spooled: 0, unread: 0, residual: 0 });
      expect(world.segments()).not.toContain(path.slice(DIRECTORY.length + 1));
      await world.close();
    },
  );

  it('while everything is read are still counted when the process is killed again and again', async () => {
    const world = await filled(6, 2 * RECORD);
    world.disk.unreadable = (path) => path.endsWith('.seg');
    for (let life = 0; life < 3; life++) {
      await world.start();
      expect(await readIds(world)).toEqual([]);
      expect(totalsOf(world)).toMatchObject({ accepted: 6, committed: 0, unread: 6, residual: 0 });
      await world.pass(3_600_000);
      await world.kill();
    }
    world.disk.unreadable = undefined;
    await world.start();
    expect(await readIds(world)).toEqual([0, 1, 2, 3, 4, 5]);
    await world.close();
  });

  it('for a moment only cost nothing but the order', async () => {
    const world = await filled(6);
    await world.start();
    let left = 4;
    world.disk.unreadable = () => left-- > 0;
    await world.read();
    await waitForSecondTry(world);
    await world.read();
    expect(world.missing()).toEqual([]);
    expect(world.quarantined).toEqual([]);
    world.settleAll();
    await world.close();
    expect(world.segments()).toEqual([]);
  });

  it('as the process has no more file descriptors are asked for until it has', async () => {
    const world = await filled(3);
    await world.start();
    let left = 12;
    world.disk.beforeEach = (operation, path) => {
      if (operation === 'open' && path.endsWith('.seg') && left-- > 0) throw failureOf('EMFILE');
    };
    expect(await readIds(world)).toEqual([]);
    for (let i = 0; i < 12; i++) {
      await waitForSecondTry(world);
      await world.read();
    }
    expect(world.missing()).toEqual([]);
    await world.close();
  });

  it('do not keep the checkpoint where it is once they were read and are settled', async () => {
    const world = await filled(6);
    const path = segmentPath(world, 0);
    world.disk.unreadable = (of, begin, end) => of === path && begin < BLOCK && end > 0;
    await world.start();
    expect(await readIds(world)).toEqual([1, 2, 3, 4, 5]);
    world.settleAll();
    world.disk.unreadable = undefined;
    await waitForSecondTry(world);
    expect(await readIds(world)).toEqual([0]);
    await world.pass(CHECKPOINT_MS);
    await world.kill();
    await world.start();
    // The late record was not settled: it holds the checkpoint, and what lies behind it is read again.
    expect(await readIds(world)).toContain(0);
    world.settleAll();
    await world.pass(CHECKPOINT_MS);
    await world.kill();
    await world.start();
    expect(await readIds(world)).toEqual([]);
    await world.close();
  });
});

describe('damage', () => {
  it('that the disk only reads at times is none', async () => {
    const world = await filled(3);
    await world.start();
    const path = segmentPath(world, 0);
    const bit = 8 * (RECORD + 36 + 100);
    let reads = 0;
    world.disk.beforeEach = (operation, of) => {
      // The first read of the segment sees another byte than the disk has.
      if (operation === 'read' && of === path && reads++ < 2) world.disk.flip(path, bit);
    };
    expect(await readIds(world)).toEqual([0, 1, 2]);
    expect(world.quarantined).toEqual([]);
    await world.close();
  });

  it('is copied to the quarantine as it was read, never with other bytes, however long the disk does not read it', async () => {
    const world = await filled(3);
    const path = segmentPath(world, 0);
    const from = RECORD + 36;
    world.disk.flip(path, 8 * (from + 100));
    await world.start();
    let reads = 0;
    world.disk.beforeEach = (operation, of) => {
      // Both looks succeed; the read for the copy does not.
      if (operation === 'read' && of === path && ++reads > 2) throw failureOf('EIO');
    };
    await world.read();
    await world.pass(CHECKPOINT_MS);
    expect(world.quarantineFiles()).toEqual([]);
    world.disk.beforeEach = undefined;
    await world.pass(2 * CHECKPOINT_MS);
    const [name = ''] = world.quarantineFiles();
    const copy = world.disk.bytesOf(`${DIRECTORY}/quarantine/${name}`);
    expect(copy.equals(world.disk.bytesOf(path).subarray(from, 2 * from))).toBe(true);
    await world.close();
  });
});

describe('a segment that the disk does not open', () => {
  it('keeps neither the start nor what lies in the others, and is read when it opens', async () => {
    const world = await filled(6, 2 * RECORD);
    const closed = segmentPath(world, 1);
    world.disk.beforeEach = (operation, path) => {
      if (operation === 'open' && path === closed) throw failureOf('EIO');
    };
    await world.start();
    expect(await readIds(world)).toEqual([0, 1, 4, 5]);
    world.settleAll();
    await world.pass(3_600_000);
    expect(world.segments()).toContain(closed.slice(DIRECTORY.length + 1));
    world.disk.beforeEach = undefined;
    await waitForSecondTry(world);
    expect(await readIds(world)).toEqual([2, 3]);
    world.settleAll();
    await world.pass(2 * CHECKPOINT_MS);
    expect(world.segments()).toEqual([]);
    expect(totalsOf(world)).toMatchObject({ committed: 6, residual: 0 });
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
    expect(await readIds(world)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await world.kill();
    await world.start();
    expect(await readIds(world)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(world.quarantined).toEqual([]);
    await world.close();
  });
});

describe('a checkpoint', () => {
  it('that cannot be read is tried until it is, keeps new entries out, and goes on with its totals', async () => {
    const world = new SpoolWorld({ segmentBytes: 2 * RECORD, tailBytes: RECORD, retainMs: 0 });
    await world.start();
    for (let i = 0; i < 10; i++) await world.append(RECORD);
    await world.read();
    for (let i = 0; i < 7; i++) world.settle(0);
    await world.pass(2 * CHECKPOINT_MS);
    // Retention has removed what was settled: only the checkpoint knows of it.
    expect(world.spool.snapshot().totals).toMatchObject({
      accepted: 10,
      committed: 7,
      spooled: 3,
      unread: 0,
    });
    await world.kill();

    world.disk.unreadable = (path) => path.endsWith('/checkpoint');
    await world.start();
    expect(world.retries).toContain('reading the checkpoint');
    expect(world.spool.failure?.message).toMatch(/does not read the checkpoint/);
    expect(await world.append(RECORD)).toBe(false);
    await world.read();
    world.settleAll();
    await world.pass(10 * CHECKPOINT_MS);
    expect(world.spool.snapshot().totals.unread).toBeGreaterThan(0);
    expect(world.spool.snapshot().unread.places).toBe(1);
    // Another kill: nothing was written in its place.
    await world.kill();
    await world.start();

    world.disk.unreadable = undefined;
    await world.pass(2_000);
    expect(world.spool.failure).toBeUndefined();
    expect(await world.append(RECORD)).toBe(true);
    expect(world.spool.snapshot().unread.places).toBe(0);
    expect(world.spool.snapshot().totals.unread).toBeGreaterThan(0);
    await world.read();
    world.settleAll();
    await world.pass(2 * CHECKPOINT_MS);
    const { totals } = world.spool.snapshot();
    expect(totals).toEqual({
      ...{ accepted: 11, committed: 11, deadLettered: 0 },
      ...{ spooled: 0, unread: 0, lost: 0, residual: 0 },
    });
    await world.kill();
    await world.start();
    expect(world.spool.snapshot().totals).toEqual(totals);
    expect(await readIds(world)).toEqual([]);
    await world.close();
  });

  it('that is read late takes no sequence number for new twice, though all segments are gone', async () => {
    const world = new SpoolWorld({ segmentBytes: 2 * RECORD, tailBytes: RECORD, retainMs: 0 });
    await world.start();
    for (let i = 0; i < 6; i++) await world.append(RECORD);
    await world.read();
    world.settleAll();
    await world.close();
    await world.start();
    await world.pass(2 * CHECKPOINT_MS);
    await world.kill();
    expect(world.segments()).toEqual([]);
    for (let life = 0; life < 2; life++) {
      world.disk.unreadable = (path) => path.endsWith('/checkpoint');
      await world.start();
      world.disk.unreadable = undefined;
      await world.pass(2_000);
      expect(await world.append(RECORD)).toBe(true);
      await world.kill();
    }
    await world.start();
    expect(await readIds(world)).toHaveLength(2);
    expect(world.spool.snapshot().totals).toMatchObject({
      accepted: 8,
      committed: 6,
      spooled: 2,
      residual: 0,
    });
    await world.close();
  });

  it('whose place on the disk takes no bytes gets another', async () => {
    const world = await filled(3);
    await world.start();
    world.disk.beforeEach = (operation, path) => {
      if (operation === 'write' && path.endsWith('/checkpoint')) throw failureOf('EIO');
    };
    await world.read();
    world.settleAll();
    await world.pass(3 * CHECKPOINT_MS);
    await world.kill();
    world.disk.beforeEach = undefined;
    await world.start();
    expect(await readIds(world)).toEqual([]);
    await world.close();
  });
});

describe('an entry that is never settled', () => {
  it('keeps its own segment and no other', async () => {
    const world = await filled(8, 2 * RECORD);
    await world.start();
    await world.read();
    world.settle(0);
    while (world.unsettled.length > 1) world.settle(1);
    const [kept] = world.segments();
    await world.pass(2 * CHECKPOINT_MS);
    expect(world.segments()).toEqual([kept]);
    await world.kill();
    await world.start();
    expect(await readIds(world)).toEqual([1]);
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

describe('a record that was handed out', () => {
  const opened = async (): Promise<{ world: SpoolWorld; sequence: number; payload: Buffer | undefined }> => {
    const world = new SpoolWorld();
    await world.start();
    for (const bytes of [50, RECORD, 70]) await world.append(bytes);
    await world.read();
    const [, second] = world.unsettled;
    return { world, sequence: second?.sequence ?? 0, payload: second?.given.payload };
  };

  it('is read again as it was given, until it is settled', async () => {
    const { world, sequence, payload } = await opened();
    expect(await world.spool.readAgain(sequence)).toEqual(payload);
    world.spool.settle(sequence);
    await expect(world.spool.readAgain(sequence)).rejects.toThrow('is settled');
  });

  it('is read again after a restart, from the backlog', async () => {
    const { world } = await opened();
    await world.kill();
    await world.start();
    await world.read();
    expect(world.unsettled).toHaveLength(3);
    for (const { sequence, given } of world.unsettled)
      expect(await world.spool.readAgain(sequence)).toEqual(given.payload);
  });

  it('is not read again while the disk does not read it, nor when it is damaged', async () => {
    const { world, sequence, payload } = await opened();
    world.disk.unreadable = () => true;
    await expect(world.spool.readAgain(sequence)).rejects.toThrow('EIO');
    world.disk.unreadable = undefined;
    expect(await world.spool.readAgain(sequence)).toEqual(payload);
    world.disk.flip(segmentPath(world, 0), 8 * 4_000);
    await expect(world.spool.readAgain(sequence)).rejects.toThrow('is damaged');
    expect(world.quarantined).toEqual([]);
  });
});
