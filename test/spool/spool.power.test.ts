import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chanceFrom, failureOf, pick } from './simulated.disk.js';
import { CHECKPOINT_MS, HEAL_MS, idle, SpoolWorld, startTime, stopTime } from './spool.world.js';

/** A long run needs longer than other tests. */
const LONG_MS = Math.max(600_000, 200 * Number(process.env['MDS_TEST_SCHEDULES'] ?? 0));
/** For long runs, and to repeat one: the first seed, and how many follow it. */
const SCHEDULES = Number(process.env['MDS_TEST_SCHEDULES'] ?? 1_000);
const SEED = Number(process.env['MDS_TEST_SPOOL_SEED'] ?? 20_260_101);

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
    const meanwhile = [world.read(pick(chance, 6)), world.pass(pick(chance, 2) * CHECKPOINT_MS)];
    await (chance() < 0.5 ? Promise.all([...appends, ...meanwhile]) : Promise.all(meanwhile));
  } else if (what < 0.75) await world.read(1 + pick(chance, 6));
  else if (what < 0.88) world.settle(pick(chance, world.unsettled.length));
  else if (what < 0.9) failOneSync(world);
  else if (what < 0.92) await world.pass(HEAL_MS);
  else await world.pass(CHECKPOINT_MS);
}

function failOneSync(world: SpoolWorld): void {
  world.disk.beforeEach = (operation) => {
    if (operation !== 'sync') return;
    world.disk.beforeEach = undefined;
    throw failureOf('EIO');
  };
}

describe('a power cut', () => {
  it(
    `loses nothing that was acknowledged, in ${SCHEDULES} schedules from seed ${SEED}`,
    async () => {
      for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
        await runSchedule(seed).catch((error: unknown) => {
          throw new Error(`schedule MDS_TEST_SPOOL_SEED=${seed}`, { cause: error });
        });
      }
    },
    LONG_MS,
  );

  it('in the middle of a checkpoint leaves the one before', async () => {
    // What a slot says lies in its first 16 bytes.
    for (let bytesOfLastWrite = 0; bytesOfLastWrite <= 20; bytesOfLastWrite++) {
      const world = new SpoolWorld({ retainMs: 3_600_000 });
      await world.start();
      for (let i = 0; i < 4; i++) await world.append(30);
      await world.read();
      for (let i = 0; i < 2; i++) {
        world.settle(0);
        await world.pass(CHECKPOINT_MS);
      }
      world.settle(0);
      world.disk.beforeEach = (operation) => operation === 'sync' && new Promise(() => undefined);
      await world.pass(CHECKPOINT_MS);
      world.disk.cutPower({ bytesOfLastWrite });
      world.disk.beforeEach = undefined;

      await world.start();
      const ids = (await world.read()).map(({ id }) => id);
      expect(ids.slice(-2)).toEqual(ids.length === 1 ? [3] : [2, 3]);
      expect(ids.length).toBeLessThanOrEqual(2);
      await world.close();
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
