import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chanceFrom, failureOf } from './simulated.disk.js';
import { CHECKPOINT_MS, DIRECTORY, HEAL_MS, SpoolWorld, startTime, stopTime } from './spool.world.js';

/** What must hold, said as simply as possible: what is wrong with the disk, and how many bits were flipped. */
interface Model {
  full: boolean;
  syncFailures: number;
  /** A sync once failed: a power cut may bring back a torn record of those that were never acknowledged. */
  syncHasFailed: boolean;
  flips: number;
  /** A full disk once took not even the checkpoint: segments may have gone without a record of it. */
  checkpointFull: boolean;
  healthy: boolean;
}

/** A place that the disk did not read is tried again within this time. */
const LONGEST_PAUSE_MS = 31_000;

type Command = fc.AsyncCommand<Model, SpoolWorld>;

beforeEach(stopTime);
afterEach(startTime);

function command(name: string, run: (model: Model, world: SpoolWorld) => Promise<void>): Command {
  return {
    check: () => true,
    toString: () => name,
    run: async (model, world) => {
      await run(model, world);
      expectBalance(model, world);
    },
  };
}

/** At every moment all rows are somewhere; only a flipped bit, or a torn record in the quarantine, may make some vanish. */
function expectBalance(model: Model, world: SpoolWorld): void {
  const { accepted, committed, deadLettered, spooled, unread, lost, residual } =
    world.spool.snapshot().totals;
  expect(committed + deadLettered + spooled + unread + lost + residual).toBe(accepted);
  const mayBeTorn = model.syncHasFailed && world.quarantineFiles().length > 0;
  if (model.flips === 0 && !model.checkpointFull && !mayBeTorn) expect(residual).toBe(0);
}

async function restart(world: SpoolWorld): Promise<void> {
  await world.start();
}

/** The fault is over and the time to heal has passed. */
async function heal(model: Model, world: SpoolWorld): Promise<void> {
  model.full = false;
  model.syncFailures = 0;
  world.disk.beforeEach = undefined;
  await world.pass(HEAL_MS);
  model.healthy = true;
}

const append = fc.array(fc.integer({ min: 20, max: 400 }), { minLength: 1, maxLength: 4 }).map((lengths) =>
  command(`append ${lengths.join()}`, async (model, world) => {
    const works = model.healthy && !model.full && model.syncFailures === 0;
    const taken = await Promise.all(lengths.map((length) => world.append(length)));
    if (works) expect(taken).not.toContain(false);
    else if (taken.includes(false)) model.healthy = false;
  }),
);
const read = fc.integer({ min: 1, max: 8 }).map((most) =>
  command(`read ${most}`, async (_, world) => {
    await world.read(most);
  }),
);
const appendInRead = fc.nat({ max: 4 }).map((which) =>
  command(`append in read ${which} of the next`, async (model, world) => {
    if (!model.healthy || model.full || model.syncFailures > 0 || world.disk.beforeEach) return;
    let reads = 0;
    const appends: Promise<boolean>[] = [];
    world.disk.beforeEach = (operation) => {
      if (operation !== 'read' || reads++ !== which) return undefined;
      const append = world.append(60);
      appends.push(append);
      return append;
    };
    await world.read(8);
    world.disk.beforeEach = undefined;
    expect(await Promise.all(appends)).not.toContain(false);
  }),
);
const failReads = fc.tuple(fc.nat(), fc.nat({ max: 3 })).map(([seed, share]) =>
  command(`fail reads ${seed} ${share}`, (_, world) => {
    const chance = chanceFrom(seed);
    const first = chance();
    // Some places for good, or the whole disk, or every read by chance.
    world.disk.unreadable = (path, from, to) => {
      if (!path.endsWith('.seg')) return false;
      if (share === 0) return true;
      if (share === 1) return chance() < 0.5;
      const bad = Math.floor(first * 1_500);
      return from <= bad && bad < to;
    };
    return Promise.resolve();
  }),
);
const readAgain = fc.constant(
  command('read again', async (_, world) => {
    world.disk.unreadable = undefined;
    await world.pass(LONGEST_PAUSE_MS);
  }),
);
const settle = fc.nat({ max: 6 }).map((index) =>
  command(`settle ${index}`, (_, world) => {
    world.settle(index);
    return Promise.resolve();
  }),
);
const pass = fc.constant(command('pass', (_, world) => world.pass(CHECKPOINT_MS)));
const cut = fc.tuple(fc.nat(), fc.constantFrom('nothing', 'torn', 'chance')).map(([seed, how]) =>
  command(`cut the power, ${how} ${seed}`, async (model, world) => {
    const chance = chanceFrom(seed);
    const torn = { bytesOfLastWrite: seed % 500 };
    await world.cutPower(how === 'nothing' ? how : how === 'torn' ? torn : chance);
    await restart(world);
    model.healthy = true;
  }),
);
const kill = fc.constant(
  command('kill', async (model, world) => {
    await world.kill();
    await restart(world);
    model.healthy = true;
  }),
);
const close = fc.constant(
  command('close', async (model, world) => {
    await world.close();
    await restart(world);
    model.healthy = true;
  }),
);
const flip = fc.tuple(fc.nat(), fc.nat()).map(([which, bit]) =>
  command(`flip ${which} ${bit}`, (model, world) => {
    const files = world.disk.names(DIRECTORY).map((name) => `${DIRECTORY}/${name}`);
    const path = files[which % files.length];
    const bits = path === undefined ? 0 : world.disk.bytesOf(path).length * 8;
    if (path === undefined || bits === 0) return Promise.resolve();
    world.disk.flip(path, bit % bits);
    model.flips++;
    return Promise.resolve();
  }),
);
const failSync = fc.constant(
  command('fail a sync', (model, world) => {
    model.syncFailures++;
    model.syncHasFailed = true;
    // A checkpoint that failed is made again as a new file, for which a full disk has no room.
    model.checkpointFull ||= model.full;
    world.disk.beforeEach = faults(model);
    return Promise.resolve();
  }),
);
const fill = fc.boolean().map((checkpointToo) =>
  command(`fill the disk${checkpointToo ? ', for the checkpoint too' : ''}`, (model, world) => {
    model.full = true;
    model.checkpointFull ||= checkpointToo || model.syncFailures > 0;
    world.disk.beforeEach = faults(model, checkpointToo);
    return Promise.resolve();
  }),
);
const free = fc.constant(
  command('make room', async (model, world) => {
    await heal(model, world);
    expect(await world.append(100)).toBe(true);
  }),
);

/** Ways of the disk that the model knows of. */
function faults(model: Model, checkpointToo = false): SpoolWorld['disk']['beforeEach'] {
  return (operation, path) => {
    const written = operation === 'create' || operation === 'write';
    if (model.full && written && (checkpointToo || !path.endsWith('checkpoint'))) throw failureOf('ENOSPC');
    if (operation === 'sync' && model.syncFailures > 0) {
      model.syncFailures--;
      throw failureOf('EIO');
    }
  };
}

describe('Spool against a model', () => {
  it('keeps what was acknowledged, in order, through crashes, torn writes, flipped bits, failing reads and a failing disk', async () => {
    const commands = fc.commands<Model, SpoolWorld, false>(
      [
        append,
        append,
        append,
        appendInRead,
        failReads,
        readAgain,
        read,
        read,
        settle,
        settle,
        pass,
        cut,
        kill,
        close,
        flip,
        failSync,
        fill,
        free,
      ],
      { maxCommands: 40, size: 'max' },
    );
    await fc.assert(
      fc.asyncProperty(commands, fc.nat(), async (steps, seed) => {
        const model: Model = {
          ...{ full: false, syncFailures: 0, syncHasFailed: false },
          ...{ flips: 0, checkpointFull: false, healthy: true },
        };
        const world = new SpoolWorld({}, chanceFrom(seed));
        await world.start();
        await fc.asyncModelRun(() => ({ model, real: world }), steps);

        // All there is can be read, in this life and in the next.
        await heal(model, world);
        world.disk.unreadable = undefined;
        await world.pass(LONGEST_PAUSE_MS);
        for (const again of [false, true]) {
          if (again) {
            await world.cutPower('nothing');
            await restart(world);
          }
          await world.read();
          expect(world.missing().length).toBeLessThanOrEqual(model.flips);
          if (world.missing().length > 0) expect(world.quarantineFiles()).not.toEqual([]);
        }
        // It works as ever, and nothing is left over when all is settled.
        expect(await world.append(50)).toBe(true);
        await world.read();
        world.settleAll();
        expect(world.spool.snapshot()).toMatchObject({ rows: 0, fault: undefined, oldestAgeSeconds: 0 });
        expectBalance(model, world);
        await world.pass(CHECKPOINT_MS);
        expect(world.segments().length).toBeLessThanOrEqual(1);
        await world.close();
        await restart(world);
        expect(await world.read()).toEqual([]);
        await world.close();
      }),
      { numRuns: Number(process.env['MDS_TEST_MODEL_RUNS'] ?? 1_500) },
    );
  });
});
