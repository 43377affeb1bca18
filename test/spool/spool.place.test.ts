import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { Checkpoint } from '../../src/coordinator/spool/checkpoint.js';
import { SpoolUnavailableError } from '../../src/coordinator/spool/spool.errors.js';
import { DIRECTORY, HEAL_MS, SpoolWorld, startTime, stopTime } from './spool.world.js';

beforeEach(stopTime);
afterEach(startTime);

const PLACE_MS = 1_000;

async function worldWith(entries: number): Promise<SpoolWorld> {
  const world = new SpoolWorld();
  await world.start();
  for (let i = 0; i < entries; i++) expect(await world.append(40)).toBe(true);
  return world;
}

describe('A spool whose files are gone', () => {
  it('takes nothing within a second after its directory was moved away, and again when it is back', async () => {
    const world = await worldWith(3);
    world.disk.moveDirectory(DIRECTORY, '/elsewhere');
    await world.pass(PLACE_MS);
    expect(world.spool.snapshot().fault).toBeInstanceOf(SpoolUnavailableError);
    expect(world.faults[0]?.message).toContain('removed, moved or replaced');
    expect(await world.append(40)).toBe(false);
    await world.pass(10 * HEAL_MS);
    expect(await world.append(40)).toBe(false);

    world.disk.moveDirectory('/elsewhere', DIRECTORY);
    await world.pass(HEAL_MS);
    expect(await world.append(40)).toBe(true);
    await world.kill();
    await world.start();
    await world.read();
    expect(world.missing()).toEqual([]);
    await world.close();
  });

  it('makes no directory in place of the one that was moved, and takes nothing in one that another made', async () => {
    const world = await worldWith(3);
    world.disk.moveDirectory(DIRECTORY, '/elsewhere');
    await world.pass(PLACE_MS + 3 * HEAL_MS);
    expect(world.disk.names(DIRECTORY)).toEqual([]);
    await world.disk.mount().makeDirectory(DIRECTORY);
    await world.start();
    await world.close();
  });

  it('makes none for a checkpoint that is written while it goes', async () => {
    const world = await worldWith(3);
    await world.close();
    const checkpoint = await Checkpoint.open(world.disk.mount(), DIRECTORY);
    const { sequence, ledger } = checkpoint;
    world.disk.moveDirectory(DIRECTORY, '/elsewhere');
    if (!ledger) throw new Error('there is no ledger');
    await expect(checkpoint.write(sequence, ledger)).rejects.toThrow();
    expect(world.disk.names(DIRECTORY)).toEqual([]);
  });

  it('takes nothing in a directory that another made, also at the first write after a start', async () => {
    const world = await worldWith(3);
    await world.close();
    await world.start();
    world.disk.moveDirectory(DIRECTORY, '/elsewhere');
    await world.disk.mount().makeDirectory(DIRECTORY);
    expect(await world.append(40)).toBe(false);
    expect(world.disk.names(DIRECTORY).filter((name) => name.endsWith('.seg'))).toEqual([]);
    await world.kill();
  });

  it('begins a new segment when the one that is written was removed, and loses nothing acknowledged since', async () => {
    const world = await worldWith(3);
    const [open = ''] = world.segments();
    world.disk.removeFile(`${DIRECTORY}/${open}`);
    await world.pass(PLACE_MS);
    expect(world.spool.snapshot().fault).toBeInstanceOf(SpoolUnavailableError);
    await world.pass(HEAL_MS);
    expect(await world.append(40)).toBe(true);
    await world.kill();
    await world.start();
    expect((await world.read()).map(({ id }) => id)).toEqual([3]);
    await world.close();
  });

  it('compares the segment with its name before it begins the next', async () => {
    const world = new SpoolWorld({ segmentBytes: 100, placeMs: 3_600_000 });
    await world.start();
    await world.append(200);
    world.disk.removeFile(`${DIRECTORY}/${world.segments()[0] ?? ''}`);
    expect(await world.append(200)).toBe(false);
    await world.pass(HEAL_MS);
    expect(await world.append(200)).toBe(true);
    await world.close();
  });

  it('makes a checkpoint that was removed again', async () => {
    const world = await worldWith(3);
    await world.read();
    world.disk.removeFile(`${DIRECTORY}/checkpoint`);
    await world.pass(PLACE_MS);
    world.settleAll();
    await world.pass(PLACE_MS);
    await world.kill();
    await world.start();
    expect(await world.read()).toEqual([]);
    expect(world.spool.snapshot().totals).toMatchObject({ accepted: 3, committed: 3, residual: 0 });
    await world.close();
  });
});
