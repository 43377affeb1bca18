import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { failureOf } from './simulated.disk.js';
import { DIRECTORY, HEAL_MS, SpoolWorld, startTime, stopTime } from './spool.world.js';

const ENTRIES = [25, 60, 18, 33];
/** A slot of the checkpoint: a text, and zeros up to here. */
const SLOT_BYTES = 4_096;

beforeEach(stopTime);
afterEach(startTime);

/** A spool of four entries, of which the first two are settled when a checkpoint is asked for. */
async function filled({ settled }: { readonly settled: number }): Promise<SpoolWorld> {
  const world = new SpoolWorld({ retainMs: 3_600_000 });
  await world.start();
  for (const length of ENTRIES) await world.append(length);
  await world.read();
  for (let i = 0; i < settled; i++) {
    world.settle(0);
    await world.pass(500);
  }
  await world.kill();
  return world;
}

/** Opens the spool and reads all of it. */
async function readAll(world: SpoolWorld): Promise<number[]> {
  await world.start();
  const read = await world.read();
  return read.map(({ id }) => id);
}

/** A bit of a header's checksum, counted from the start of its record. */
const IN_HEADER = 8 * 33;

describe('a damaged header', () => {
  it('of the last record is put aside even when numbers are missing before it', async () => {
    const world = new SpoolWorld();
    await world.start();
    world.disk.beforeEach = () => {
      throw failureOf('ENOSPC');
    };
    expect(await world.append(20)).toBe(false);
    world.disk.beforeEach = undefined;
    await world.pass(HEAL_MS);
    expect(await world.append(40)).toBe(true);
    await world.read();
    await world.close();
    world.disk.flip(`${DIRECTORY}/${world.segments()[0] ?? ''}`, IN_HEADER);
    await world.start();
    expect(await world.read()).toEqual([]);
    expect(world.quarantined).toMatchObject([{ bytes: 76, rows: undefined }]);
    expect(world.quarantineFiles()).toHaveLength(1);
    await world.close();
  });

  it('leaves no rows behind that would never be settled', async () => {
    const world = new SpoolWorld({ tailBytes: 0 });
    await world.start();
    for (let i = 0; i < 4; i++) await world.append(40, 5);
    world.disk.flip(`${DIRECTORY}/${world.segments()[0] ?? ''}`, 2 * 76 * 8 + IN_HEADER);
    expect(world.spool.snapshot().rows).toBe(20);
    expect((await world.read()).map(({ id }) => id)).toEqual([0, 1, 3]);
    expect(world.spool.snapshot().rows).toBe(15);
    world.settleAll();
    expect(world.spool.snapshot()).toMatchObject({ rows: 0, quarantined: 1 });
    await world.close();
  });

  it('at the end of all does not keep its segment for ever', async () => {
    const world = await filled({ settled: 0 });
    const path = `${DIRECTORY}/${world.segments()[0] ?? ''}`;
    world.disk.flip(path, (world.disk.bytesOf(path).length - 69) * 8 + IN_HEADER);
    await world.start();
    expect(await world.read()).toHaveLength(3);
    world.settleAll();
    await world.pass(3_600_000 + 1_000);
    expect(world.segments()).toEqual([]);
    await world.close();
  });
});

describe('any single bit flipped', () => {
  it('in a segment costs at most the record that it is in, which is put aside', async () => {
    const world = await filled({ settled: 0 });
    const path = `${DIRECTORY}/${world.segments()[0] ?? ''}`;
    const ends = ENTRIES.map((_, i) => ENTRIES.slice(0, i + 1).reduce((sum, length) => sum + length + 36, 0));
    const bits = (ends.at(-1) ?? 0) * 8;
    expect(world.disk.bytesOf(path)).toHaveLength(bits / 8);
    for (let bit = 0; bit < bits; bit++) {
      world.disk.flip(path, bit);
      const before = world.quarantined.length;
      const hit = ends.findIndex((end) => bit < end * 8);
      expect(await readAll(world)).toEqual([0, 1, 2, 3].filter((id) => id !== hit));
      expect(world.quarantined.length - before).toBe(1);
      expect(world.spool.snapshot()).toMatchObject({ quarantined: 1, rows: 3 });
      await world.kill();
      world.disk.flip(path, bit);
    }
    expect(world.quarantineFiles().length).toBeGreaterThanOrEqual(ENTRIES.length);
  });

  it('in the checkpoint is seen, and only means that more is read again', async () => {
    const world = await filled({ settled: 3 });
    const path = `${DIRECTORY}/checkpoint`;
    for (const bit of bitsToFlip(world.disk.bytesOf(path))) {
      world.disk.flip(path, bit);
      const read = await readAll(world);
      // The slots hold 3 and 4, the sequence numbers of the third and the fourth entry.
      expect(read.at(-1)).toBe(3);
      expect(read.length === 1 || (read.length === 2 && read[0] === 2)).toBe(true);
      expect(world.spool.snapshot().quarantined).toBe(1);
      await world.kill();
      world.disk.flip(path, bit);
    }
  });
});

/** Each bit of what a checkpoint says, and one of each byte of the zeros behind, by turns each of the eight. */
function bitsToFlip(bytes: Buffer): number[] {
  expect(bytes).toHaveLength(2 * SLOT_BYTES);
  const bits: number[] = [];
  for (let start = 0; start < bytes.length; start += SLOT_BYTES) {
    const slot = bytes.subarray(start, start + SLOT_BYTES);
    const end = slot.findLastIndex((byte) => byte !== 0) + 1;
    expect(end).toBeGreaterThan(50);
    for (let at = 0; at < SLOT_BYTES; at++)
      for (let bit = 0; bit < 8; bit++) if (at < end || bit === at % 8) bits.push((start + at) * 8 + bit);
  }
  return bits;
}
