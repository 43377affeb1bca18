import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { Checkpoint } from '../../src/coordinator/spool/checkpoint.js';
import { requestReplay } from '../../src/coordinator/spool/replay.request.js';
import { repairSpool, type Repair } from '../../src/coordinator/spool/spool.repair.js';
import { listSegments, surveySegment } from '../../src/coordinator/spool/spool.survey.js';
import { failureOf } from './simulated.disk.js';
import { DIRECTORY, idle, SpoolWorld, startTime, stopTime } from './spool.world.js';

const ENTRIES = [25, 60, 18, 33];
const HEADER_BYTES = 36;
const ENDS = ENTRIES.map((_, i) => ENTRIES.slice(0, i + 1).reduce((sum, n) => sum + n + HEADER_BYTES, 0));

beforeEach(stopTime);
afterEach(startTime);

/** A stopped spool of four entries in one segment, or in one each. */
async function stopped({ lives = 1 } = {}): Promise<SpoolWorld> {
  const world = new SpoolWorld({ retainMs: 3_600_000 });
  for (let life = 0; life < lives; life++) {
    await world.start();
    for (const length of ENTRIES) await world.append(length);
    await world.kill();
  }
  return world;
}

const pathOf = (world: SpoolWorld, index = 0) => `${DIRECTORY}/${world.segments()[index] ?? ''}`;

async function repair(world: SpoolWorld, dryRun = false, giveUp = false): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for await (const done of repairSpool(world.disk.mount(), DIRECTORY, { dryRun, giveUp })) repairs.push(done);
  return repairs;
}

/** Sequence numbers of the records that can be read, and whether anything else was found. */
async function survey(world: SpoolWorld): Promise<{ records: number[]; damaged: number; torn: number }> {
  const files = world.disk.mount();
  const found = { records: [] as number[], damaged: 0, torn: 0 };
  for (const segment of await listSegments(files, DIRECTORY)) {
    for await (const piece of surveySegment(files, segment, { payloads: true, live: false })) {
      if (piece.kind === 'record') found.records.push(piece.header.sequence);
      else found[piece.kind === 'damage' ? 'damaged' : 'torn']++;
    }
  }
  return found;
}

describe('a repair', () => {
  /** Every third bit: each place in a byte, and each byte. */
  it('of a single bit flipped anywhere in a segment puts that record aside and keeps the others', async () => {
    for (let bit = 0; bit < (ENDS.at(-1) ?? 0) * 8; bit += 3) {
      const world = await stopped();
      world.disk.flip(pathOf(world), bit);
      const hit = ENDS.findIndex((end) => bit < end * 8);
      const others = [1, 2, 3, 4].filter((sequence) => sequence !== hit + 1);
      expect(await survey(world)).toEqual({ records: others, damaged: 1, torn: 0 });
      const damaged = Buffer.from(world.disk.bytesOf(pathOf(world)));

      const repairs = await repair(world);
      expect(repairs).toMatchObject([{ kind: 'put-aside', bytes: (ENTRIES[hit] ?? 0) + HEADER_BYTES }]);
      expect(await survey(world)).toEqual({ records: others, damaged: 0, torn: 0 });
      const [quarantine = ''] = world.quarantineFiles();
      expect(world.disk.bytesOf(`${DIRECTORY}/quarantine/${quarantine}`)).toEqual(
        damaged.subarray(ENDS[hit - 1] ?? 0, ENDS[hit]),
      );
      expect(await repair(world)).toEqual([]);

      await world.start();
      expect((await world.read()).map(({ id }) => id + 1)).toEqual(others);
      expect(world.quarantined).toEqual([]);
      await world.close();
    }
  });

  it('that is cut short at any step, by a power cut too, loses no record and can be done again', async () => {
    let finished = false;
    for (let step = 1; !finished; step++) {
      const world = await stopped({ lives: 2 });
      world.disk.flip(pathOf(world, 0), 8 * 10);
      world.disk.flip(pathOf(world, 0), 8 * ((ENDS[1] ?? 0) + 40));
      world.disk.flip(pathOf(world, 1), 8 * ((ENDS[0] ?? 0) + 40));
      world.disk.flip(`${DIRECTORY}/checkpoint`, 8 * 20);
      const { records } = await survey(world);
      expect(records).toEqual([2, 4, 5, 7, 8]);

      world.disk.failsAt = world.disk.operationCount + step;
      finished = await repair(world).then(
        () => true,
        () => false,
      );
      world.disk.cutPower(step % 2 === 0 ? 'nothing' : { bytesOfLastWrite: 7 });
      expect((await survey(world)).records).toEqual(records);
      await repair(world);
      expect(await survey(world)).toEqual({ records, damaged: 0, torn: 0 });
      expect(await Checkpoint.look(world.disk.mount(), DIRECTORY)).toMatchObject({ damaged: [] });
      expect(world.disk.names(DIRECTORY).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      await world.start();
      expect((await world.read()).map(({ id }) => id + 1)).toEqual(records);
      await world.close();
    }
  });

  it('cuts a torn tail at any byte', async () => {
    const end = ENDS[3] ?? 0;
    for (let length = ENDS[2] ?? 0; length < end; length++) {
      const world = await stopped();
      const file = await world.disk.mount().open(pathOf(world), 'write');
      await file.truncate(length);
      const torn = length - (ENDS[2] ?? 0);
      expect(await repair(world)).toMatchObject(torn === 0 ? [] : [{ kind: 'cut', bytes: torn }]);
      expect(world.disk.bytesOf(pathOf(world))).toHaveLength(ENDS[2] ?? 0);
      expect(await survey(world)).toEqual({ records: [1, 2, 3], damaged: 0, torn: 0 });
    }
  });

  it('needs no room to cut a torn tail, and on a full disk leaves what it cannot put aside', async () => {
    const world = await stopped({ lives: 2 });
    world.disk.flip(pathOf(world, 1), 8 * 10);
    const file = await world.disk.mount().open(pathOf(world, 0), 'write');
    await file.truncate((ENDS[3] ?? 0) - 5);
    world.disk.beforeEach = (operation) => {
      if (operation === 'write') throw failureOf('ENOSPC');
    };
    await expect(repair(world)).rejects.toThrow('ENOSPC');
    world.disk.beforeEach = undefined;
    expect(await survey(world)).toEqual({ records: [1, 2, 3, 6, 7, 8], damaged: 1, torn: 0 });
  });

  it('keeps bytes apart that were put aside from the same place', async () => {
    const world = await stopped();
    for (const sequence of [1, 2, 3]) {
      world.disk.flip(pathOf(world), 8 * 10);
      expect(await repair(world)).toHaveLength(1);
      expect(world.quarantineFiles()).toHaveLength(sequence);
    }
    expect((await survey(world)).records).toEqual([4]);
  });

  it('leaves a checkpoint that cannot be read, unless it is given up: all is written once more then', async () => {
    const world = await stopped();
    world.disk.unreadable = (path) => path.endsWith('/checkpoint');
    const path = `${DIRECTORY}/checkpoint`;
    const before = Buffer.from(world.disk.bytesOf(path));
    expect(await repair(world)).toMatchObject([{ kind: 'unread', path }]);
    expect(await repair(world, true, true)).toMatchObject([{ kind: 'given-up', path }]);
    expect(world.disk.bytesOf(path)).toEqual(before);
    expect(await repair(world, false, true)).toMatchObject([{ kind: 'given-up', path }]);
    world.disk.unreadable = undefined;
    await world.start();
    expect(world.spool.failure).toBeUndefined();
    expect(world.spool.snapshot().totals).toMatchObject({ accepted: 4, spooled: 4, unread: 0, residual: 0 });
    await world.close();
  });

  it('that is only tried changes nothing', async () => {
    const world = await stopped();
    world.disk.flip(pathOf(world), 8 * 10);
    world.disk.flip(`${DIRECTORY}/checkpoint`, 8);
    const before = Buffer.from(world.disk.bytesOf(pathOf(world)));
    expect((await repair(world, true)).map(({ kind }) => kind)).toEqual(['put-aside', 'checkpoint']);
    expect(world.disk.bytesOf(pathOf(world))).toEqual(before);
    expect(world.quarantineFiles()).toEqual([]);
  });
});

describe('a survey of a spool that is written', () => {
  it('does not take a record under write for damage', async () => {
    startTime();
    const world = await stopped();
    const path = pathOf(world);
    const bit = 8 * ((ENDS[2] ?? 0) + 40);
    world.disk.flip(path, bit);
    const files = world.disk.mount();
    const [segment] = await listSegments(files, DIRECTORY);
    if (!segment) throw new Error('there is no segment');
    const kinds: string[] = [];
    const mended = setTimeout(() => world.disk.flip(path, bit), 150);
    for await (const { kind } of surveySegment(files, segment, { payloads: true, live: true }))
      kinds.push(kind);
    clearTimeout(mended);
    expect(kinds).toEqual(['record', 'record', 'record', 'record']);
  });
});

describe('a replay that was asked for', () => {
  it('hands out the settled records from there on once more, after any crash of the request or of the start', async () => {
    for (let step = 1, finished = false; !finished; step++) {
      const world = await stopped();
      await world.start();
      await world.read();
      world.settleAll();
      await world.close();
      world.disk.failsAt = world.disk.operationCount + step;
      const asked = await requestReplay(world.disk.mount(), DIRECTORY, 3).then(
        () => true,
        () => false,
      );
      if (!asked) world.disk.cutPower({ bytesOfLastWrite: 3 });
      else {
        await world.start().catch(() => undefined);
        finished = world.disk.powered;
        world.disk.cutPower(step % 2 === 0 ? 'nothing' : { bytesOfLastWrite: 3 });
        await idle();
      }
      await world.start();
      const sequences = (await world.read()).map(({ id }) => id + 1);
      if (asked) expect(sequences).toEqual([3, 4]);
      else expect([[], [3, 4]]).toContainEqual(sequences);
      expect(world.disk.names(DIRECTORY)).not.toContain('replay');
      world.settleAll();
      await world.close();
      await world.start();
      expect(await world.read()).toEqual([]);
      await world.close();
    }
  });

  it('and whose file is damaged is reported, and does not keep the spool from starting', async () => {
    const world = await stopped();
    await requestReplay(world.disk.mount(), DIRECTORY, 3);
    world.disk.flip(`${DIRECTORY}/replay`, 8 * 10);
    await world.start();
    expect(world.retries).toContain('the replay that was asked for');
    expect(world.disk.names(DIRECTORY)).not.toContain('replay');
    await world.close();
  });
});
