import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { Checkpoint } from '../../src/coordinator/spool/checkpoint.js';
import { encodeSlot } from '../../src/coordinator/spool/checkpoint.slot.js';
import { requestReplay } from '../../src/coordinator/spool/replay.request.js';
import { failureOf } from './simulated.disk.js';
import { CHECKPOINT_MS, DIRECTORY, SpoolWorld, startTime, stopTime } from './spool.world.js';

beforeEach(stopTime);
afterEach(startTime);

const NOTHING = { accepted: 0, committed: 0, deadLettered: 0, spooled: 0, unread: 0, lost: 0, residual: 0 };

function totalsOf(world: SpoolWorld) {
  return world.spool.snapshot().totals;
}

async function worldWith(entries: number, options: ConstructorParameters<typeof SpoolWorld>[0] = {}) {
  const world = new SpoolWorld(options);
  await world.start();
  for (let i = 0; i < entries; i++) await world.append(100);
  return world;
}

async function restart(world: SpoolWorld): Promise<void> {
  await world.kill();
  await world.start();
}

describe('The ledger of the spool', () => {
  it('counts from the making of the spool on, over stops and kills', async () => {
    const world = await worldWith(5);
    await world.read();
    world.settle(0);
    world.settle(0);
    await world.pass(CHECKPOINT_MS);
    for (const end of [() => world.kill(), () => world.close(), () => world.cutPower('nothing')]) {
      await end();
      await world.start();
      expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 5, committed: 2, spooled: 3 });
    }
    await world.read();
    world.settleAll();
    await world.append(100, 7);
    await world.close();
    await world.start();
    expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 12, committed: 5, spooled: 7 });
    await world.close();
  });

  it('counts what was settled after the last checkpoint as spooled again: it is read again', async () => {
    const world = await worldWith(4);
    await world.read();
    world.settle(0);
    await world.pass(CHECKPOINT_MS);
    world.settleAll();
    expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 4, committed: 4 });
    await restart(world);
    expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 4, committed: 1, spooled: 3 });
    await world.close();
  });

  it('stays exact while one record is not settled and the segments behind it come and go', async () => {
    const world = await worldWith(40, { segmentBytes: 300, tailBytes: 100_000 });
    await world.read();
    // The first stays; of the others every third too, for now.
    for (let i = world.unsettled.length - 1; i > 0; i--) if (i % 3 !== 0) world.settle(i);
    expect(totalsOf(world)).toMatchObject({ accepted: 40, spooled: 14, residual: 0 });
    for (let life = 0; life < 3; life++) {
      await world.pass(2 * CHECKPOINT_MS);
      await restart(world);
      expect(totalsOf(world)).toMatchObject({ residual: 0, accepted: 40 });
      await world.read();
      while (world.unsettled.length > 1) world.settle(1);
      expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 40, committed: 39, spooled: 1 });
    }
    await world.close();
  });

  it('does not have settled segments behind an unsettled record read again', async () => {
    const world = await worldWith(12, { segmentBytes: 300, tailBytes: 100_000, retainMs: 3_600_000 });
    await world.read();
    while (world.unsettled.length > 1) world.settle(1);
    await world.append(100);
    await world.pass(2 * CHECKPOINT_MS);
    await restart(world);
    expect((await world.read()).length).toBeLessThan(6);
    expect(totalsOf(world)).toMatchObject({ accepted: 13, residual: 0 });
    await world.close();
  });

  it('shows rows as residual when a segment is removed behind its back', async () => {
    const world = await worldWith(6, { segmentBytes: 300 });
    await world.pass(CHECKPOINT_MS);
    await world.kill();
    world.disk.removeFile(`${DIRECTORY}/${world.segments()[0] ?? ''}`);
    await world.start();
    const { residual, accepted, spooled } = totalsOf(world);
    expect(residual).toBeGreaterThan(0);
    expect({ accepted, all: spooled + residual }).toEqual({ accepted: 6, all: 6 });
    await world.read();
    world.settleAll();
    await world.pass(CHECKPOINT_MS);
    await restart(world);
    expect(totalsOf(world)).toMatchObject({ accepted: 6, residual });
    await world.close();
  });

  it('counts replayed records as accepted once more, also when the process dies in the middle', async () => {
    const world = await worldWith(8, { retainMs: 3_600_000, segmentBytes: 300 });
    await world.read();
    world.settleAll();
    await world.pass(2 * CHECKPOINT_MS);
    await world.kill();
    await requestReplay(world.disk.mount(), DIRECTORY, 3);
    await world.start();
    expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 14, committed: 8, spooled: 6 });
    // Before the checkpoint knows of it.
    await restart(world);
    expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 14, committed: 8, spooled: 6 });
    await world.read(2);
    world.settle(0);
    await world.pass(CHECKPOINT_MS);
    await restart(world);
    expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 14, committed: 9, spooled: 5 });
    await world.read();
    world.settleAll();
    expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 14, committed: 14 });
    await world.close();
  });

  it('begins with what is there when the checkpoint is of a version without a ledger', async () => {
    const world = await worldWith(4);
    await world.kill();
    await world.disk.mount().remove(`${DIRECTORY}/checkpoint`);
    const file = await world.disk.mount().create(`${DIRECTORY}/checkpoint`);
    await file.write([encodeSlot(3), Buffer.alloc(Checkpoint.SLOT_BYTES)], 0);
    await world.start();
    expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 2, spooled: 2 });
    world.spool.adoptDeadLetters(10);
    expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 12, spooled: 2, deadLettered: 10 });
    await world.pass(CHECKPOINT_MS);
    await restart(world);
    world.spool.adoptDeadLetters(10);
    expect(totalsOf(world)).toEqual({ ...NOTHING, accepted: 12, spooled: 2, deadLettered: 10 });
    await world.close();
  });

  it('is of the older slot when a bit of the newer one was flipped, and stays exact', async () => {
    const world = await worldWith(4, { retainMs: 3_600_000 });
    await world.read();
    for (let i = 0; i < 3; i++) {
      world.settle(0);
      await world.pass(CHECKPOINT_MS);
    }
    await world.kill();
    const bytes = world.disk.bytesOf(`${DIRECTORY}/checkpoint`);
    for (const slot of [0, 1]) {
      const text = bytes.indexOf('"serial"', slot * Checkpoint.SLOT_BYTES);
      world.disk.flip(`${DIRECTORY}/checkpoint`, 8 * (text + 20));
      await world.start();
      expect(totalsOf(world)).toMatchObject({ accepted: 4, residual: 0 });
      await world.kill();
      world.disk.flip(`${DIRECTORY}/checkpoint`, 8 * (text + 20));
    }
  });

  it('is written to the older slot first after a start', async () => {
    const world = await worldWith(4, { retainMs: 3_600_000 });
    await world.read();
    for (let i = 0; i < 3; i++) {
      world.settle(0);
      await world.pass(CHECKPOINT_MS);
      await world.kill();
      const newest = (await Checkpoint.look(world.disk.mount(), DIRECTORY))?.ledger?.serial ?? 0;
      await world.start();
      await world.read();
      // The write is torn: what was newest must still be there.
      world.disk.beforeEach = (operation, path) => {
        if (operation === 'write' && path.endsWith('/checkpoint')) {
          world.disk.beforeEach = undefined;
          world.disk.flip(path, 8 * (newestSlotOf(world) === 0 ? Checkpoint.SLOT_BYTES + 5 : 5));
          throw failureOf('EIO');
        }
      };
      world.settle(0);
      await world.pass(CHECKPOINT_MS);
      await world.kill();
      expect((await Checkpoint.look(world.disk.mount(), DIRECTORY))?.ledger?.serial).toBeGreaterThanOrEqual(
        newest,
      );
      await world.start();
      expect(totalsOf(world)).toMatchObject({ accepted: 4, residual: 0 });
      await world.read();
    }
    await world.close();
  });
});

function newestSlotOf(world: SpoolWorld): number {
  const bytes = world.disk.bytesOf(`${DIRECTORY}/checkpoint`);
  const serialAt = (slot: number) => {
    const text = bytes.toString('latin1', slot * Checkpoint.SLOT_BYTES, (slot + 1) * Checkpoint.SLOT_BYTES);
    return Number(/"serial":(\d+)/.exec(text)?.[1] ?? -1);
  };
  return serialAt(0) > serialAt(1) ? 0 : 1;
}
