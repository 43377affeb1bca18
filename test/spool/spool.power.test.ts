import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chanceFrom, pick } from './simulated.disk.js';
import { CHECKPOINT_MS, idle, SpoolWorld, startTime, stopTime } from './spool.world.js';

const SCHEDULES = 1_000;
const SEED = Number(process.env['MDS_SPOOL_SEED'] ?? 20_260_101);

beforeEach(stopTime);
afterEach(startTime);

/** Appends, reads, settles and starts again as chance has it, through several power cuts in the middle of anything. */
async function runSchedule(seed: number): Promise<void> {
  const chance = chanceFrom(seed);
  const world = new SpoolWorld({}, chance);
  for (let life = 0; life < 3; life++) {
    world.disk.failsAt = world.disk.operationCount + 1 + pick(chance, 120);
    try {
      await world.start();
      while (world.disk.powered) await step(world, chance);
    } catch (error) {
      if (world.disk.powered) throw error;
    }
    await (chance() < 0.8 ? world.cutPower(chance() < 0.3 ? 'nothing' : chance) : world.kill());
  }
  await world.start();
  await world.read();
  expect(world.missing()).toEqual([]);
  await world.close();
}

async function step(world: SpoolWorld, chance: () => number): Promise<void> {
  const what = chance();
  if (what < 0.5) {
    const appends = Array.from({ length: 1 + pick(chance, 4) }, () => world.append(10 + pick(chance, 400)));
    await (chance() < 0.5 ? Promise.all(appends) : idle());
  } else if (what < 0.75) await world.read(1 + pick(chance, 6));
  else if (what < 0.9) world.settle(pick(chance, world.unsettled.length));
  else await world.pass(CHECKPOINT_MS);
}

describe('a power cut', () => {
  it(`loses nothing that was acknowledged, in ${SCHEDULES} schedules from seed ${SEED}`, async () => {
    for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
      await runSchedule(seed).catch((error: unknown) => {
        throw new Error(`schedule MDS_SPOOL_SEED=${seed}`, { cause: error });
      });
    }
  });

  it('may tear the last write at any byte', async () => {
    const group = [40, 90, 10];
    const written = group.reduce((sum, length) => sum + length + 36, 0);
    for (let bytesOfLastWrite = 0; bytesOfLastWrite <= written; bytesOfLastWrite++) {
      const world = new SpoolWorld();
      await world.start();
      await world.append(30);
      await world.append(60);
      world.disk.beforeEach = (operation) => operation === 'sync' && new Promise(() => undefined);
      const unanswered = group.map((length) => world.append(length));
      await idle();
      world.disk.beforeEach = undefined;
      void Promise.all(unanswered);
      world.disk.cutPower({ bytesOfLastWrite });

      await world.start();
      const read = await world.read();
      expect(read.slice(0, 2).map(({ id }) => id)).toEqual([0, 1]);
      expect(world.missing()).toEqual([]);
      expect(await world.append(20)).toBe(true);
      await world.kill();
      await world.start();
      await world.read();
      expect(world.missing()).toEqual([]);
      await world.close();
    }
  });
});
