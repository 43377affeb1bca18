import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  SpoolBusyError,
  SpoolFullError,
  SpoolUnavailableError,
} from '../../src/coordinator/spool/spool.errors.js';
import { failureOf, type Operation } from './simulated.disk.js';
import { CHECKPOINT_MS, DIRECTORY, HEAL_MS, idle, SpoolWorld, startTime, stopTime } from './spool.world.js';

beforeEach(stopTime);
afterEach(startTime);

const inSegment = (path: string) => path.endsWith('.seg');
const inCheckpoint = (path: string) => path.endsWith('/checkpoint');
const inQuarantine = (path: string) => path.includes('/quarantine/');

/** Room for an entry of so many bytes, all of which have come; gives it up. */
function keepRoom({ spool }: SpoolWorld, bytes: number): () => void {
  const { grow, release } = spool.reserve(bytes);
  grow(bytes);
  return release;
}

async function worldWith(options: ConstructorParameters<typeof SpoolWorld>[0] = {}): Promise<SpoolWorld> {
  const world = new SpoolWorld(options);
  await world.start();
  return world;
}

/** The operation fails in such files until `until` is called. */
function fail(world: SpoolWorld, operations: Operation[], where: (path: string) => boolean, code: string) {
  world.disk.beforeEach = (operation, path) => {
    if (operations.includes(operation) && where(path)) throw failureOf(code);
  };
}

function repair(world: SpoolWorld): void {
  world.disk.beforeEach = undefined;
}

function contentOf(length = 50) {
  return { payload: [Buffer.alloc(length)], rows: 1, time: 0, entry: {} as never };
}

describe('a full disk', () => {
  it.each([
    ['an append', ['write'] as Operation[]],
    ['the roll to a new segment', ['create'] as Operation[]],
    ['the entry of a new segment in its directory', ['sync-directory'] as Operation[]],
  ])('refuses at %s with SpoolFullError, and heals by itself when there is room', async (_, operations) => {
    const world = await worldWith({ segmentBytes: 100 });
    await world.append(200);
    fail(world, operations, () => true, 'ENOSPC');
    await expect(world.spool.append(contentOf())).rejects.toThrow(SpoolFullError);
    await expect(world.spool.append(contentOf())).rejects.toThrow('the disk of the spool is full');
    expect(world.spool.snapshot().fault).toBeInstanceOf(SpoolFullError);
    await world.pass(3 * HEAL_MS);
    expect(world.spool.snapshot().fault).toBeInstanceOf(SpoolFullError);

    repair(world);
    await world.pass(HEAL_MS);
    expect(world.healed).toBe(1);
    expect(await world.append(60)).toBe(true);
    await world.kill();
    await world.start();
    await world.read();
    expect(world.missing()).toEqual([]);
    await world.close();
  });

  it('takes the room of what is kept for replay, and no more of it than it needs', async () => {
    const world = await worldWith({ segmentBytes: 100, retainMs: 3_600_000 });
    for (let i = 0; i < 5; i++) await world.append(200);
    await world.read();
    world.settleAll();
    await world.pass(CHECKPOINT_MS);
    const kept = world.segments();
    world.disk.beforeEach = (operation, path) => {
      if (operation === 'create' && inSegment(path) && world.segments().length >= kept.length)
        throw failureOf('ENOSPC');
    };
    expect(await world.append(60)).toBe(false);
    await world.pass(HEAL_MS);
    expect(await world.append(60)).toBe(true);
    expect(world.segments().slice(0, -1)).toEqual(kept.slice(1));
    await world.close();
  });

  it('gives the room of settled segments back even when the checkpoint has none', async () => {
    const world = await worldWith({ segmentBytes: 100, retainMs: 3_600_000 });
    for (let i = 0; i < 4; i++) await world.append(200);
    await world.read();
    world.settle(0);
    world.settle(0);
    await world.pass(CHECKPOINT_MS);
    world.settleAll();
    const before = world.segments().length;
    world.disk.beforeEach = (operation, path) => {
      const full = operation === 'create' && world.segments().length >= before;
      if (full || (operation === 'write' && inCheckpoint(path))) throw failureOf('ENOSPC');
    };
    expect(await world.append(60)).toBe(false);
    await world.pass(HEAL_MS);
    expect(await world.append(60)).toBe(true);
    await world.close();
  });

  it('does not keep a damaged record from being passed over', async () => {
    const world = await worldWith();
    for (let i = 0; i < 3; i++) await world.append(40);
    await world.kill();
    world.disk.flip(`${DIRECTORY}/${world.segments()[0] ?? ''}`, 8 * 60);
    fail(world, ['create', 'write'], inQuarantine, 'ENOSPC');
    await world.start();
    expect((await world.read()).map(({ id }) => id)).toEqual([1, 2]);
    world.settleAll();
    await world.pass(5 * CHECKPOINT_MS);
    // Until it is put aside, the only copy stays.
    expect(world.segments()).toHaveLength(1);
    expect(world.retries).not.toEqual([]);
    repair(world);
    await world.pass(2 * CHECKPOINT_MS);
    expect(world.quarantineFiles()).toHaveLength(1);
    expect(world.quarantined).toHaveLength(1);
    expect(world.segments()).toEqual([]);
    await world.close();
  });

  it('at the checkpoint only means that more is read again', async () => {
    const world = await worldWith();
    for (let i = 0; i < 3; i++) await world.append(40);
    await world.read();
    world.settleAll();
    fail(world, ['write'], inCheckpoint, 'ENOSPC');
    await world.pass(CHECKPOINT_MS);
    expect(world.retries).not.toEqual([]);
    expect(await world.append(40)).toBe(true);
    await world.kill();
    await world.start();
    expect((await world.read()).map(({ id }) => id)).toEqual([0, 1, 2, 3]);
    repair(world);
    world.settleAll();
    await world.pass(CHECKPOINT_MS);
    await world.kill();
    await world.start();
    expect(await world.read()).toEqual([]);
    await world.close();
  });
});

describe('a failed fdatasync', () => {
  it('is answered with SpoolUnavailableError, and that segment takes nothing more', async () => {
    const world = await worldWith();
    await world.append(40);
    const [failed] = world.segments();
    const safe = world.disk.bytesOf(`${DIRECTORY}/${failed ?? ''}`).length;
    let left = 1;
    const written = new Set<string>();
    world.disk.beforeEach = (operation, path) => {
      if (operation === 'sync' && left-- > 0) throw failureOf('EIO');
      if (left <= 0 && operation === 'write') written.add(path);
    };
    await expect(world.spool.append(contentOf())).rejects.toThrow(SpoolUnavailableError);
    expect(world.faults).toHaveLength(1);
    await world.pass(HEAL_MS);
    expect(world.healed).toBe(1);
    for (let i = 0; i < 3; i++) expect(await world.append(40)).toBe(true);
    expect([...written].filter(inSegment)).not.toContain(`${DIRECTORY}/${failed ?? ''}`);
    expect(world.disk.bytesOf(`${DIRECTORY}/${failed ?? ''}`)).toHaveLength(safe);
    expect(world.segments()).toHaveLength(2);
    await world.cutPower('nothing');
    await world.start();
    expect((await world.read()).map(({ id }) => id)).toEqual([0, 1, 2, 3]);
    await world.close();
  });

  it('that wrote all the same cannot take the place of an entry that was acknowledged later', async () => {
    const world = await worldWith();
    await world.append(40);
    let left = 1;
    // All of it is on disk, though the disk said no.
    world.disk.afterFailedSync = { bytesOfLastWrite: Infinity };
    world.disk.beforeEach = (operation) => {
      if (operation === 'sync' && left-- > 0) throw failureOf('EIO');
    };
    expect(await world.append(40)).toBe(false);
    // The next process does not see what was cut off, and gives its number again.
    await world.kill();
    await world.start();
    expect(await world.append(40)).toBe(true);
    // The power cut undoes the cut.
    await world.cutPower('nothing');
    await world.start();
    expect(world.spool.recovered).toMatchObject({ records: 2, rows: 2 });
    expect((await world.read()).map(({ id }) => id)).toEqual([0, 2]);
    expect(world.quarantined).toEqual([]);
    await world.close();
  });

  it('of the checkpoint leaves the one before, and is tried again', async () => {
    const world = await worldWith({ retainMs: 3_600_000 });
    await world.append(40);
    await world.append(40);
    await world.read();
    world.settle(0);
    await world.pass(CHECKPOINT_MS);
    world.settle(0);
    let left = 1;
    world.disk.beforeEach = (operation, path) => {
      if (operation === 'sync' && inCheckpoint(path) && left-- > 0) throw failureOf('EIO');
    };
    await world.pass(CHECKPOINT_MS);
    expect(world.retries).toHaveLength(1);
    await world.cutPower('nothing');
    await world.start();
    expect((await world.read()).map(({ id }) => id)).toEqual([1]);
    await world.close();
  });
});

describe('a slow disk', () => {
  it('may take a write in as many pieces as it likes', async () => {
    const world = await worldWith();
    world.disk.mostPerWrite = 7;
    await Promise.all([world.append(100), world.append(20), world.append(333)]);
    await world.kill();
    await world.start();
    expect(await world.read()).toHaveLength(3);
    world.settleAll();
    await world.close();
    await world.start();
    expect(await world.read()).toEqual([]);
    await world.close();
  });

  it('that hangs in fdatasync makes appends wait, and refuses beyond a bound', async () => {
    const world = await worldWith({ maxWaitingBytes: 500 });
    let release = (): void => undefined;
    const hung = new Promise<void>((resolve) => (release = resolve));
    world.disk.beforeEach = (operation, path) => (operation === 'sync' && inSegment(path) ? hung : undefined);
    const waiting = [world.append(150), world.append(150)];
    await world.pass(30_000);
    expect(world.spool.snapshot().syncingSeconds).toBeCloseTo(30, 0);
    expect(world.spool.snapshot().fault).toBeUndefined();
    await expect(world.spool.append(contentOf(150))).rejects.toThrow(SpoolBusyError);
    expect(await world.read()).toEqual([]);
    release();
    expect(await Promise.all(waiting)).toEqual([true, true]);
    expect(world.spool.snapshot().syncingSeconds).toBe(0);
    expect(await world.append(150)).toBe(true);
    expect(await world.read()).toHaveLength(3);
    await world.close();
  });

  it('that fails write after write leaves room for what waits once it works again', async () => {
    const world = await worldWith({ maxWaitingBytes: 500 });
    for (let failure = 0; failure < 20; failure++) {
      fail(world, ['write'], inSegment, 'EIO');
      await expect(world.spool.append(contentOf(150))).rejects.toThrow(SpoolUnavailableError);
      repair(world);
      await world.pass(HEAL_MS);
    }
    expect(await Promise.all([world.append(150), world.append(150)])).toEqual([true, true]);
    await world.close();
  });

  it('that hangs at the checkpoint holds up no append', async () => {
    const world = await worldWith();
    await world.append(40);
    await world.read();
    world.settleAll();
    let release = (): void => undefined;
    const hung = new Promise<void>((resolve) => (release = resolve));
    world.disk.beforeEach = (operation, path) =>
      operation === 'sync' && inCheckpoint(path) ? hung : undefined;
    await world.pass(20 * CHECKPOINT_MS);
    expect(await world.append(40)).toBe(true);
    release();
    await idle();
    await world.close();
  });
});

describe('the quota', () => {
  it('refuses with SpoolFullError while entries that are not settled fill it', async () => {
    const world = await worldWith({ maxBytes: 4_096, segmentBytes: 512 });
    const taken: boolean[] = [];
    for (let i = 0; i < 20; i++) taken.push(await world.append(400));
    expect(taken).toContain(false);
    expect(world.spool.snapshot().bytes).toBeLessThanOrEqual(4_096);
    expect(world.spool.snapshot().fault).toBeUndefined();
    await expect(world.spool.append(contentOf(400))).rejects.toThrow(SpoolFullError);
    // Room comes at once when entries are settled, and only from those.
    await world.read();
    world.settle(0);
    world.settle(0);
    expect(await world.append(400)).toBe(true);
    await world.kill();
    await world.start();
    await world.read();
    expect(world.missing()).toEqual([]);
    await world.close();
  });

  it('keeps room for entries under way: one that would not fit beside them is refused, and only that one', async () => {
    const world = await worldWith({ maxBytes: 4_096, segmentBytes: 512 });
    const first = keepRoom(world, 3_000);
    expect(() => keepRoom(world, 1_500)).toThrow(SpoolFullError);
    const second = keepRoom(world, 1_000);
    // The spool is as good as empty: nothing is over, and what needs no room kept is taken.
    expect(world.spool.refusal).toBeUndefined();
    expect(world.faults).toEqual([]);
    expect(await world.append(400)).toBe(true);
    // Given back once, however often it is said.
    second();
    second();
    expect(() => keepRoom(world, 1_000)).toThrow(SpoolFullError);
    first();
    keepRoom(world, 3_000)();
    await world.close();
  });

  it('lets a lone entry come whatever its length', async () => {
    const world = await worldWith({ maxBytes: 4_096, segmentBytes: 512 });
    const release = keepRoom(world, 100_000);
    expect(() => keepRoom(world, 1)).toThrow(SpoolFullError);
    release();
    keepRoom(world, 1)();
    await world.close();
  });

  it('counts what is not settled, and not what is kept for replay, against entries under way', async () => {
    const world = await worldWith({ maxBytes: 4_096, segmentBytes: 512, retainMs: 3_600_000 });
    for (let i = 0; i < 6; i++) expect(await world.append(400)).toBe(true);
    const release = keepRoom(world, 1);
    expect(() => keepRoom(world, 2_000)).toThrow(SpoolFullError);
    await world.read();
    world.settleAll();
    // Known at once, not only after the next checkpoint.
    keepRoom(world, 2_000)();
    expect(world.spool.snapshot().bytes).toBeGreaterThan(2_096);
    release();
    await world.close();
  });

  it('is used up when an entry finds no room for what is not settled', async () => {
    const world = await worldWith({ maxBytes: 4_096, segmentBytes: 512 });
    for (let i = 0; i < 8; i++) expect(await world.append(400)).toBe(true);
    const release = keepRoom(world, 1);
    expect(() => keepRoom(world, 1_500)).toThrow(SpoolFullError);
    expect(world.faults).toHaveLength(1);
    expect(world.spool.refusal).toBe(world.faults[0]);
    expect(() => keepRoom(world, 1)).toThrow(SpoolFullError);
    release();
    await world.read();
    world.settleAll();
    await world.pass(CHECKPOINT_MS);
    expect(world.healed).toBe(1);
    keepRoom(world, 1_500)();
    await world.close();
  });

  /** With no room but for a small entry, on a disk that fails at it. */
  async function fullOnABadDisk(): Promise<SpoolWorld> {
    const world = await worldWith({ maxBytes: 4_096, segmentBytes: 512 });
    while (await world.append(400));
    await world.read();
    fail(world, ['sync'], inSegment, 'EIO');
    expect(await world.append(100)).toBe(false);
    expect(world.spool.snapshot()).toMatchObject({ overQuota: true, fault: expect.anything() as unknown });
    return world;
  }

  it('that is used up still is not over when the disk that failed meanwhile heals', async () => {
    const world = await fullOnABadDisk();
    repair(world);
    await world.pass(HEAL_MS);
    expect(world.spool.snapshot()).toMatchObject({ overQuota: true, fault: undefined });
    expect(world.healed).toBe(0);
    world.settleAll();
    await world.pass(CHECKPOINT_MS);
    expect(world.healed).toBe(1);
    expect(await world.append(400)).toBe(true);
    await world.close();
  });

  it('that has room again does not end a fault of the disk', async () => {
    const world = await fullOnABadDisk();
    world.settleAll();
    await world.pass(CHECKPOINT_MS);
    expect(world.spool.snapshot()).toMatchObject({ overQuota: false, fault: expect.anything() as unknown });
    expect(world.healed).toBe(0);
    repair(world);
    await world.pass(HEAL_MS);
    expect(world.healed).toBe(1);
    await world.close();
  });

  it('refuses what is larger than all of it, and goes on', async () => {
    const world = await worldWith({ maxBytes: 4_096, segmentBytes: 512 });
    await world.append(100);
    await world.read();
    world.settleAll();
    expect(await world.append(5_000)).toBe(false);
    expect(await world.append(100)).toBe(true);
    expect(world.retries).toEqual([]);
    await world.close();
  });

  it('removes a segment that is begun and empty once only', async () => {
    const world = await worldWith({ maxBytes: 4_096, segmentBytes: 512, tailBytes: 0 });
    // The first is in memory, the second on disk only: the reader goes through all segments.
    await world.append(100);
    await world.append(100);
    fail(world, ['sync'], inSegment, 'EIO');
    expect(await world.append(100)).toBe(false);
    repair(world);
    await world.pass(HEAL_MS);
    await world.read();
    world.settleAll();
    expect(await world.append(5_000)).toBe(false);
    expect(world.segments()).toEqual([]);
    expect(world.retries).toEqual([]);
    expect(world.spool.snapshot().bytes).toBe(0);
    expect(await world.append(100)).toBe(true);
    await world.close();
  });

  it('lets segments that are kept for replay give way first', async () => {
    const world = await worldWith({ maxBytes: 4_096, segmentBytes: 512, retainMs: 3_600_000 });
    for (let i = 0; i < 40; i++) {
      expect(await world.append(400)).toBe(true);
      await world.read();
      world.settleAll();
      expect(world.spool.snapshot().bytes).toBeLessThanOrEqual(4_096);
    }
    expect(world.spool.snapshot().bytes).toBeGreaterThan(2_500);
    await world.close();
  });

  it('keeps a settled segment for the time of retention, and no longer', async () => {
    const world = await worldWith({ segmentBytes: 100, retainMs: 60_000 });
    for (let i = 0; i < 3; i++) await world.append(200);
    await world.read();
    world.settle(0);
    world.settle(0);
    await world.pass(59_000);
    expect(world.segments()).toHaveLength(3);
    await world.pass(2_000);
    expect(world.segments()).toHaveLength(1);
    await world.close();
  });
});

describe('the oldest entry', () => {
  it('is not taken for one from before the start when the others are on disk only', async () => {
    const world = await worldWith({ tailBytes: 0 });
    await world.append(40);
    await world.kill();
    await world.pass(3_600_000);
    await world.start();
    expect(world.spool.snapshot().oldestAgeSeconds).toBeCloseTo(3_600, -1);
    for (let i = 0; i < 3; i++) await world.append(40);
    await world.read(2);
    world.settleAll();
    expect(world.spool.snapshot().rows).toBe(2);
    expect(world.spool.snapshot().oldestAgeSeconds).toBeLessThan(10);
    await world.close();
  });
});

describe('the end of a life', () => {
  it('leaves nothing waiting that was told to stop', async () => {
    const world = await worldWith({ tailBytes: 0 });
    for (let i = 0; i < 3; i++) await world.append(40);
    await world.read(3);
    for (let pauses = 0; pauses < 20; pauses++) {
      const stop = new AbortController();
      const next = world.spool.next(stop.signal).catch((error: unknown) => error);
      for (let pause = 0; pause < pauses; pause++) await Promise.resolve();
      stop.abort(new Error('stop'));
      const ended = await Promise.race([next, idle().then(() => 'waits')]);
      expect(ended).not.toBe('waits');
      await world.append(40);
      await world.append(40);
      await world.read();
    }
    await world.close();
  });

  it('is the same for all who ask for it', async () => {
    const world = await worldWith();
    let release = (): void => undefined;
    const hung = new Promise<void>((resolve) => (release = resolve));
    world.disk.beforeEach = (operation) => (operation === 'sync' ? hung : undefined);
    const append = world.append(40);
    const first = world.spool.close();
    let ended = false;
    const second = world.spool.close().then(() => (ended = true));
    await idle();
    expect(ended).toBe(false);
    release();
    await Promise.all([append, first, second]);
    expect(await append).toBe(true);
  });
});

describe('An entry that is appended while its segment is read back', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])('in read %d comes too, once and in order', async (which) => {
    // Little fits into memory: the reader is behind in the segment that is written.
    const world = await worldWith({ tailBytes: 100, segmentBytes: 1024 * 1024 });
    for (let i = 0; i < 6; i++) await world.append(200);
    let reads = 0;
    const appends: Promise<boolean>[] = [];
    world.disk.beforeEach = (operation, path) => {
      if (operation !== 'read' || !inSegment(path) || reads++ !== which) return undefined;
      appends.push(world.append(200));
      return appends[0];
    };
    await world.read();
    repair(world);
    if (appends.length === 0) await world.append(200);
    await world.read();
    expect(world.missing()).toEqual([]);
    world.settleAll();
    expect(world.spool.snapshot()).toMatchObject({
      rows: 0,
      totals: { accepted: 7, committed: 7, residual: 0 },
    });
    await world.close();
  });
});
