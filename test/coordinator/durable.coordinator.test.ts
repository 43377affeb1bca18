import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import {
  DeadLetterDamagedError,
  DeadLetterQueue,
  DurableCoordinator,
  Spool,
  type Entry,
  type EntryCodec,
  type Takes,
  type WriteObserver,
} from '../../src/coordinator/index.js';
import { nodeFileSystem, type SpoolFileSystem } from '../../src/coordinator/spool/spool.file-system.js';
import { diskThat } from './disk.js';
import { settle, until } from './entries.js';
import { failure } from './scripted.sink.js';

/** Rows with values; 666 is one that the sink refuses. */
interface Values extends Entry {
  readonly values: readonly number[];
  readonly time: number;
}

const POISON = 666;
/** Values from it on are of a kind that may be locked. */
const LOCKED = 10_000;
let clock = 0;

function valuesOf(values: readonly number[], time = ++clock): Values {
  return { rows: values.length, values, time };
}

const codec: EntryCodec<Values, number> = {
  encode: ({ values }) => [Buffer.from(JSON.stringify(values))],
  decode: (payload, time) => valuesOf(JSON.parse(payload.toString()) as number[], time),
  timeOf: ({ time }) => time,
  slice: ({ values, time }, from, end) => valuesOf(values.slice(from, end), time),
  sum: (results) => results.reduce((sum, one) => sum + one, 0),
  show: ({ values }, limit) => values.slice(0, limit).map((value) => ({ value })),
};

/** Puts entries together unless one is poison of its own kind, 667, which nothing goes with. */
const joining: EntryCodec<Values, number> = {
  ...codec,
  join: (entries) => {
    const values = entries.flatMap((entry) => entry.values);
    return values.includes(667) ? undefined : valuesOf(values, entries.at(-1)?.time);
  },
};

let directory: string;
const running: DurableCoordinator<Values, number>[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mds-durable-'));
});
afterEach(async () => {
  for (const coordinator of running.splice(0)) await coordinator.stop({ deadlineMs: 0 });
  await rm(directory, { recursive: true, force: true });
});

/** What is in the database: values may be written twice, they are the same bars. */
class Table {
  readonly rows = new Set<number>();
  writes = 0;
  /** Writes that failed for a row in them; each may cost one more for the other half. */
  failures = 0;
  /** Thrown by every write while it is set. */
  down: Error | undefined;
  /** Thrown by writes of locked values while it is set. */
  lock: Error | undefined;

  write(entries: readonly Values[]): Promise<readonly number[]> {
    this.writes++;
    if (this.down) return Promise.reject(this.down);
    const values = entries.flatMap((entry) => entry.values);
    if (this.lock && values.some((value) => value >= LOCKED)) return Promise.reject(this.lock);
    if (values.includes(POISON)) {
      this.failures++;
      return Promise.reject(failure('23514'));
    }
    for (const value of values) this.rows.add(value);
    return Promise.resolve(entries.map(({ rows }) => rows));
  }

  takesOthers(): Promise<Takes> {
    return Promise.resolve({ alike: this.down === undefined, any: this.down === undefined });
  }
}

interface Setup {
  readonly capacity?: number;
  readonly tailBytes?: number;
  readonly letterFiles?: SpoolFileSystem;
  readonly spoolFiles?: SpoolFileSystem;
  readonly flushIntervalMs?: number;
  readonly observer?: WriteObserver;
  readonly codec?: EntryCodec<Values, number>;
}

async function start(table: Table, setup: Setup = {}) {
  const { capacity = 1_000_000, tailBytes, letterFiles, spoolFiles, flushIntervalMs = 0, observer } = setup;
  const spool = await Spool.open<Values>({
    directory: join(directory, 'spool'),
    maxBytes: 1e9,
    retainMs: 0,
    checkpointMs: 20,
    healMs: 20,
    tailBytes,
    files: spoolFiles,
  });
  const deadLetters = await DeadLetterQueue.open({
    directory: join(directory, 'dlq'),
    files: letterFiles,
    onQuarantine: (_, rows) => spool.loseDeadLetter(rows),
  });
  const coordinator = new DurableCoordinator<Values, number>({
    id: 'test',
    capacity,
    workers: 2,
    batchSize: 10_000,
    flushIntervalMs,
    retry: { initialBackoffMs: 1, maxBackoffMs: 5, maxAttempts: 3 },
    breaker: { failureThreshold: 3, halfOpenAfterMs: 20 },
    sink: table,
    codec: setup.codec ?? codec,
    spool,
    deadLetters,
    observer,
  });
  coordinator.start();
  running.push(coordinator);
  return { coordinator, deadLetters, spool };
}

const isSettled = ({ coordinator }: { coordinator: DurableCoordinator<Values, number> }) =>
  until(() => coordinator.snapshot().rows.spooled === 0);

describe('an accepted entry', () => {
  it('is written, and the ledger balances at every moment', async () => {
    const table = new Table();
    const one = await start(table);
    const residuals: number[] = [];
    const look = setInterval(() => residuals.push(one.coordinator.snapshot().rows.residual), 1);
    await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        one.coordinator.accept(valuesOf([2 * i, i === 77 ? POISON : 2 * i + 1])),
      ),
    );
    await isSettled(one);
    clearInterval(look);
    expect(table.rows.size).toBe(399);
    expect(one.coordinator.snapshot()).toMatchObject({
      queueSize: 0,
      deadLetters: 1,
      rows: { accepted: 400, committed: 399, spooled: 0, deadLettered: 1, residual: 0 },
    });
    expect(new Set(residuals)).toEqual(new Set([0]));
  });

  it('is safe while the database is away, and written when it is back', async () => {
    const table = new Table();
    table.down = failure('57P03');
    const one = await start(table);
    for (let i = 0; i < 50; i++) await one.coordinator.accept(valuesOf([i]));
    // The circuit is half open now and then, and lets one through.
    let refusal: unknown;
    while (refusal === undefined)
      refusal = await one.coordinator.acceptAwaited(valuesOf([1])).then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(refusal).toMatchObject({ name: 'CircuitOpenError' });
    table.down = undefined;
    await isSettled(one);
    expect(table.rows.size).toBe(50);
  });

  it('survives a stop while the database is away, and is written after the next start', async () => {
    const table = new Table();
    table.down = failure('ECONNREFUSED');
    const one = await start(table);
    for (let i = 0; i < 20; i++) await one.coordinator.accept(valuesOf([i]));
    const begun = performance.now();
    await one.coordinator.stop({ deadlineMs: 10_000 });
    expect(performance.now() - begun).toBeLessThan(3_000);
    expect(table.rows.size).toBe(0);
    table.down = undefined;
    const two = await start(table);
    expect(two.coordinator.snapshot().rows).toMatchObject({ accepted: 20, residual: 0 });
    await isSettled(two);
    expect(table.rows.size).toBe(20);
  });

  it('tells of its commit when asked for', async () => {
    const one = await start(new Table());
    const { outcome } = await one.coordinator.acceptAwaited(valuesOf([1, 2, 3]));
    await expect(outcome).resolves.toBe(3);
    const bad = await one.coordinator.acceptAwaited(valuesOf([4, POISON, 5]));
    await expect(bad.outcome).rejects.toMatchObject({ name: 'WriteRefusedError', rows: 1 });
  });

  it('is read back from disk when memory holds no more, in bounded memory, and sets the level', async () => {
    const table = new Table();
    table.down = failure('57P01');
    const one = await start(table, { capacity: 100, tailBytes: 200 });
    const levels: string[] = [];
    one.coordinator.onLevelChange(({ level, reason }) => levels.push(`${level} ${reason}`));
    for (let i = 0; i < 60; i++) await one.coordinator.accept(valuesOf([5 * i, 1, 2, 3, 4]));
    expect(one.coordinator.snapshot()).toMatchObject({ queueSize: 300, capacity: 100, level: 'hard' });
    table.down = undefined;
    await isSettled(one);
    await settle();
    expect(levels).toEqual(['soft soft_watermark', 'hard high_watermark', 'ok queue_recovered']);
    for (let i = 0; i < 60; i++) expect(table.rows.has(5 * i)).toBe(true);
  });
});

describe('the memory of an entry', () => {
  const recycled: Values[] = [];
  const recycling: EntryCodec<Values, number> = { ...codec, recycle: (entry) => void recycled.push(entry) };
  beforeEach(() => void recycled.splice(0));

  it('is given back once, when all of it is committed', async () => {
    const table = new Table();
    table.down = failure('57P03');
    const one = await start(table, { codec: recycling });
    const entries = [valuesOf([1]), valuesOf([2, 3])];
    for (const entry of entries) await one.coordinator.accept(entry);
    await until(() => table.writes > 0);
    expect(recycled).toEqual([]);
    table.down = undefined;
    await isSettled(one);
    expect(new Set(recycled)).toEqual(new Set(entries));
    expect(recycled).toHaveLength(2);
  });

  it('is given back too when all of its parts are committed, each by itself', async () => {
    const table = new Table();
    const write = table.write.bind(table);
    table.write = (entries) =>
      entries.some(({ rows }) => rows > 1) ? Promise.reject(failure('23514')) : write(entries);
    const one = await start(table, { codec: recycling });
    const whole = valuesOf([1, 2, 3]);
    await one.coordinator.accept(whole);
    await isSettled(one);
    expect(table.rows.size).toBe(3);
    expect(recycled).toHaveLength(1);
    expect(recycled[0]).toBe(whole);
  });

  it('is given back though another entry was refused, and left alone when one of its rows is', async () => {
    const table = new Table();
    const one = await start(table, { codec: recycling, flushIntervalMs: 50 });
    const good = valuesOf([1, 2, 3, 4]);
    await Promise.all([one.coordinator.accept(good), one.coordinator.accept(valuesOf([5, POISON, 7]))]);
    await isSettled(one);
    expect(table.failures).toBeGreaterThan(0);
    expect(recycled).toEqual([good]);
    expect(recycled[0]).toBe(good);
  });

  it('is left alone when the store stops before the sink has answered', async () => {
    let answer = (): void => undefined;
    const table = new Table();
    const write = table.write.bind(table);
    table.write = async (entries) => {
      await new Promise<void>((resolve) => (answer = resolve));
      return await write(entries);
    };
    const one = await start(table, { codec: recycling });
    await one.coordinator.accept(valuesOf([1]));
    await settle();
    await one.coordinator.stop({ deadlineMs: 0 });
    answer();
    await until(() => table.writes === 1);
    await settle();
    expect(recycled).toEqual([]);
  });
});

describe('a spool that takes nothing', () => {
  it('at the start is hard from the first moment, and heals by itself', async () => {
    let full = true;
    const spoolFiles: SpoolFileSystem = {
      ...nodeFileSystem,
      create: (path) => (full ? Promise.reject(failure('ENOSPC')) : nodeFileSystem.create(path)),
    };
    const one = await start(new Table(), { spoolFiles });
    expect(one.coordinator.snapshot()).toMatchObject({ level: 'hard', spool: { bytes: 0 } });
    await expect(one.coordinator.accept(valuesOf([1]))).rejects.toMatchObject({ name: 'SpoolFullError' });
    full = false;
    await until(() => one.coordinator.snapshot().spool.fault === undefined);
    await one.coordinator.accept(valuesOf([1]));
  });

  it('because the disk hangs does not hold up the end', async () => {
    const hanging = new Promise<never>(() => undefined);
    let hung = false;
    const spoolFiles = diskThat((_path, write) => (hung ? hanging : write()));
    const one = await start(new Table(), { spoolFiles });
    await one.coordinator.accept(valuesOf([1]));
    hung = true;
    const unanswered = one.coordinator.accept(valuesOf([2]));
    void unanswered.catch(() => undefined);
    const begun = performance.now();
    await one.coordinator.stop({ deadlineMs: 200 });
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  it('is hard until it takes entries again', async () => {
    const { coordinator } = await start(new Table());
    const levels: string[] = [];
    coordinator.onLevelChange(({ level, reason }) => levels.push(`${level} ${reason}`));
    coordinator.setBlocked(true);
    expect(coordinator.snapshot().level).toBe('hard');
    coordinator.setBlocked(true);
    coordinator.setBlocked(false);
    await settle();
    expect(levels).toEqual(['hard spool_full', 'ok queue_recovered']);
  });
});

describe('a segment that cannot be read at the start', () => {
  it.each([
    ['opened', 1, 'open'],
    ['opened again', 2, 'open'],
    ['looked through', 2, 'read'],
  ])('as it cannot be %s is counted when it can be, and the ledger balances', async (_, turn, failing) => {
    const table = new Table();
    table.down = failure('57P03');
    const before = await start(table);
    for (let i = 0; i < 3; i++) await before.coordinator.accept(valuesOf([i]));
    await before.coordinator.stop({ deadlineMs: 0 });

    let opened = 0;
    const refuse = () => Promise.reject(failure('EMFILE'));
    const spoolFiles: SpoolFileSystem = {
      ...nodeFileSystem,
      open: async (path, access) => {
        const refused = path.endsWith('.seg') && ++opened === turn;
        if (refused && failing === 'open') return await refuse();
        const file = await nodeFileSystem.open(path, access);
        return refused ? Object.assign(file, { read: refuse }) : file;
      },
    };
    table.down = undefined;
    const after = await start(table, { spoolFiles });
    await isSettled(after);
    await until(() => table.rows.size === 3);
    expect(after.coordinator.snapshot().rows).toEqual({
      accepted: 3,
      committed: 3,
      spooled: 0,
      unread: 0,
      lost: 0,
      deadLettered: 0,
      residual: 0,
    });
  });
});

describe('small entries that are put together', () => {
  const small = (count: number, from = 1_000) =>
    Array.from({ length: count }, (_, i) => valuesOf([from + i]));

  it('share records, are written once, and balance', async () => {
    const table = new Table();
    const one = await start(table, { codec: joining });
    const first = one.spool.snapshot().bytes;
    await Promise.all(small(32).map((entry) => one.coordinator.accept(entry)));
    // One header of 36 bytes, and the values in one list.
    expect(one.spool.snapshot().bytes - first).toBe(36 + 1 + 32 * 5);
    await isSettled(one);
    expect(table.rows.size).toBe(32);
    expect(one.coordinator.snapshot().rows).toMatchObject({ accepted: 32, committed: 32, residual: 0 });
  });

  it('fit into a queue that is smaller than all of them', async () => {
    const table = new Table();
    const one = await start(table, { codec: joining, capacity: 5 });
    await Promise.all(small(100).map((entry) => one.coordinator.accept(entry)));
    await isSettled(one);
    expect(table.rows.size).toBe(100);
  });

  it('cost one dead letter when one of them is refused', async () => {
    const table = new Table();
    const one = await start(table, { codec: joining });
    const entries = [...small(20), valuesOf([POISON]), ...small(11, 2_000)];
    await Promise.all(entries.map((entry) => one.coordinator.accept(entry)));
    await isSettled(one);
    expect(table.rows.size).toBe(31);
    expect(one.deadLetters.letters).toBe(1);
    expect(table.failures).toBeLessThanOrEqual(6);
    expect(one.coordinator.snapshot().rows).toMatchObject({ accepted: 32, deadLettered: 1, residual: 0 });
  });

  it('are safe or refused when the service stops in the same turn, and those that are safe are written later', async () => {
    const table = new Table();
    table.down = failure('57P03');
    const before = await start(table, { codec: joining });
    const answers = small(40).map((entry) => before.coordinator.accept(entry));
    const stopped = before.coordinator.stop({ deadlineMs: 0 });
    const late = before.coordinator.accept(valuesOf([1]));
    await expect(late).rejects.toMatchObject({ name: 'CoordinatorStoppedError' });
    const outcomes = await Promise.allSettled(answers);
    await stopped;
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['fulfilled']));
    table.down = undefined;
    const after = await start(table, { codec: joining });
    await isSettled(after);
    expect(table.rows.size).toBe(40);
    expect(after.coordinator.snapshot().rows).toMatchObject({ accepted: 40, committed: 40, residual: 0 });
  });

  it('are told one by one what became of them when they could not be put together', async () => {
    let writes = 0;
    const spoolFiles = diskThat((path, write) =>
      path.endsWith('.seg') && ++writes === 2 ? Promise.reject(failure('EIO')) : write(),
    );
    const table = new Table();
    const one = await start(table, { codec: joining, spoolFiles });
    const answers = [1, 667, 2].map((value) => one.coordinator.accept(valuesOf([value])));
    const outcomes = await Promise.allSettled(answers);
    // The first was on its way when the others came, who share a write that fails.
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    await isSettled(one);
    expect(table.rows).toEqual(new Set([1]));
  });
});

describe('a row that the sink refuses', () => {
  it('costs about 2 log2(n) writes more and one dead letter, which a replay mends', async () => {
    const table = new Table();
    const one = await start(table);
    const values = Array.from({ length: 10_000 }, (_, i) => (i === 6_543 ? POISON : 1_000 + i));
    await one.coordinator.accept(valuesOf(values));
    await isSettled(one);
    expect(table.rows.size).toBe(9_999);
    expect(table.writes).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(10_000)));
    const [id = ''] = one.deadLetters.ids({ limit: 10 });
    const letter = await one.deadLetters.read(id);
    expect(letter).toMatchObject({ rows: 1, sqlstate: '23514', detail: 'failed with 23514' });
    expect(letter && one.coordinator.show(letter, 10)).toEqual([{ value: POISON }]);

    await one.coordinator.replayDeadLetter(id);
    await isSettled(one);
    // Refused again: a record of its own, and the first is gone.
    expect(one.deadLetters.letters).toBe(1);
    expect(one.deadLetters.ids({ limit: 10 })).not.toEqual([id]);
    expect(one.coordinator.snapshot().rows).toMatchObject({ accepted: 10_000, deadLettered: 1, residual: 0 });
  });

  it('costs no more when it is one of a batch of many entries, heavy and light', async () => {
    const table = new Table();
    table.down = failure('57P03');
    const one = await start(table, { flushIntervalMs: 50 });
    // One entry holds the only worker that may try; the others gather behind it.
    await one.coordinator.accept(valuesOf([1]));
    await until(() => one.coordinator.snapshot().circuitState !== 'closed');
    const light = (from: number) => Array.from({ length: 2_500 }, (_, i) => valuesOf([from + i]));
    const heavy = valuesOf(Array.from({ length: 4_999 }, (_, i) => (i === 3_210 ? POISON : 20_000 + i)));
    const entries = [...light(1_000), heavy, ...light(10_000)];
    await Promise.all(entries.map((entry) => one.coordinator.accept(entry)));
    const before = table.failures;
    table.down = undefined;
    await isSettled(one);
    expect(table.rows.size).toBe(9_999);
    expect(table.failures - before).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(10_000)));
    expect(one.deadLetters.letters).toBe(1);
  });

  it('is one dead letter however often the process dies before it is settled', async () => {
    const table = new Table();
    const first = await start(table);
    // As in a crash, the checkpoint never hears of it.
    first.spool.settle = () => undefined;
    await first.coordinator.accept(valuesOf([1, POISON, 2]));
    await until(() => first.deadLetters.letters === 1);
    await settle();
    await first.coordinator.stop({ deadlineMs: 0 });
    const second = await start(table);
    await isSettled(second);
    expect(second.deadLetters.letters).toBe(1);
    expect(table.rows).toEqual(new Set([1, 2]));
    expect(second.coordinator.snapshot().rows).toMatchObject({ accepted: 3, deadLettered: 1, residual: 0 });
  });

  it('is in one dead letter only, though other rows are refused with it after a crash', async () => {
    const table = new Table();
    const isBad = (values: readonly number[], bad: ReadonlySet<number>) => values.some((v) => bad.has(v));
    const refusing = (bad: ReadonlySet<number>) =>
      Object.assign(new Table(), {
        write: (entries: readonly Values[]) =>
          entries.some(({ values }) => isBad(values, bad))
            ? Promise.reject(failure('23514'))
            : table.write(entries),
        tryEach: (entries: readonly Values[]) =>
          Promise.resolve(entries.map(({ values }) => (isBad(values, bad) ? failure('23514') : undefined))),
      });
    const first = await start(refusing(new Set([12, 13])));
    first.spool.settle = () => undefined;
    await first.coordinator.accept(valuesOf([11, 12, 13, 14, 15, 16]));
    await until(() => first.deadLetters.letters === 1);
    await settle();
    await first.coordinator.stop({ deadlineMs: 0 });
    const second = await start(refusing(new Set([11, 12, 13, 14, 15])));
    await isSettled(second);
    const letters = second.deadLetters.ids({ limit: 10 }).map(async (id) => {
      const letter = await second.deadLetters.read(id);
      return letter && second.coordinator.show(letter, 10);
    });
    expect(await Promise.all(letters)).toEqual([
      [{ value: 11 }],
      [{ value: 12 }, { value: 13 }],
      [{ value: 14 }, { value: 15 }],
    ]);
    expect(second.deadLetters.rows).toBe(5);
    expect(second.coordinator.snapshot().rows).toMatchObject({ deadLettered: 5, residual: 0 });
  });

  it('is kept while the disk of the dead letters is full', async () => {
    let full = true;
    const letterFiles: SpoolFileSystem = {
      ...nodeFileSystem,
      create: (path) => (full ? Promise.reject(failure('ENOSPC')) : nodeFileSystem.create(path)),
    };
    const told: unknown[] = [];
    const one = await start(new Table(), {
      letterFiles,
      observer: { onFeedError: (error) => told.push(error) },
    });
    await one.coordinator.accept(valuesOf([1, POISON]));
    await until(() => told.length > 0);
    expect(one.coordinator.snapshot().rows).toMatchObject({ spooled: 2, deadLettered: 0, residual: 0 });
    full = false;
    await isSettled(one);
    expect(one.deadLetters.letters).toBe(1);
  });

  it('is stored once when its dead letter is replayed twice at the same time', async () => {
    const table = new Table();
    const one = await start(table);
    await one.coordinator.accept(valuesOf([POISON]));
    await isSettled(one);
    const [id = ''] = one.deadLetters.ids({ limit: 1 });
    table.write = (entries) => Promise.resolve(entries.map(({ rows }) => rows));
    const { coordinator } = one;
    await Promise.all([coordinator.replayDeadLetter(id), coordinator.replayDeadLetter(id)]);
    await isSettled(one);
    expect(coordinator.snapshot()).toMatchObject({
      deadLetters: 0,
      rows: { accepted: 1, committed: 1, deadLettered: 0, residual: 0 },
    });
    await expect(coordinator.replayDeadLetter(id)).resolves.toBe(false);
  });

  it('is stored and counted once when the disk does not let go of its dead letter at the first try', async () => {
    let stuck = true;
    const letterFiles: SpoolFileSystem = {
      ...nodeFileSystem,
      remove: (path) => (stuck ? Promise.reject(failure('EIO')) : nodeFileSystem.remove(path)),
    };
    const table = new Table();
    const one = await start(table, { letterFiles });
    await one.coordinator.accept(valuesOf([POISON]));
    await isSettled(one);
    const [id = ''] = one.deadLetters.ids({ limit: 1 });
    const write = jest.fn((entries: readonly Values[]) => Promise.resolve(entries.map(({ rows }) => rows)));
    table.write = write;
    const { coordinator } = one;
    for (let tries = 0; tries < 2; tries++)
      await expect(coordinator.replayDeadLetter(id)).rejects.toThrow('EIO');
    stuck = false;
    await expect(coordinator.replayDeadLetter(id)).resolves.toBe(true);
    await isSettled(one);
    expect(write).toHaveBeenCalledTimes(1);
    expect(coordinator.snapshot()).toMatchObject({
      deadLetters: 0,
      rows: { accepted: 1, committed: 1, deadLettered: 0, residual: 0 },
    });
  });

  it('can be replayed from a dead letter that is heavier than the capacity is now', async () => {
    const values = [1, 2, 3, 4, 5, 6];
    const before = await start(new Table());
    await before.coordinator.stop({ deadlineMs: 0 });
    await before.deadLetters.add({
      id: '1-1-0',
      rows: values.length,
      time: 1,
      refusedAt: 1,
      payload: codec.encode(valuesOf(values)),
      reason: 'r',
      sqlstate: undefined,
      detail: '',
    });
    const table = new Table();
    const after = await start(table, { capacity: 3 });
    await expect(after.coordinator.replayDeadLetter('1-1-0')).resolves.toBe(true);
    await isSettled(after);
    expect(table.rows).toEqual(new Set(values));
  });

  it('is missing from the books when the disk lost its dead letter', async () => {
    const one = await start(new Table());
    await one.coordinator.accept(valuesOf([1, POISON]));
    await isSettled(one);
    const [id = ''] = one.deadLetters.ids({ limit: 1 });
    await writeFile(join(directory, 'dlq', `${id}.1.dlq`), 'overwritten');
    await expect(one.coordinator.replayDeadLetter(id)).rejects.toThrow(DeadLetterDamagedError);
    expect(one.coordinator.snapshot()).toMatchObject({
      deadLetters: 0,
      damagedLetters: 1,
      rows: { accepted: 2, committed: 1, deadLettered: 0, residual: 1 },
    });
    // It stays missing over a restart.
    await one.coordinator.stop({ deadlineMs: 1_000 });
    const after = await start(new Table());
    expect(after.coordinator.snapshot().rows).toMatchObject({ accepted: 2, committed: 1, residual: 1 });
  });

  it('ends no worker and is no bug when the store stops while the disk of the dead letters is full', async () => {
    const letterFiles: SpoolFileSystem = {
      ...nodeFileSystem,
      create: () => Promise.reject(failure('ENOSPC')),
    };
    const [told, bugs]: [unknown[], unknown[]] = [[], []];
    const first = await start(new Table(), {
      letterFiles,
      observer: { onFeedError: (error) => told.push(error), onWorkerBug: (bug) => bugs.push(bug) },
    });
    await first.coordinator.accept(valuesOf([1, POISON]));
    await until(() => told.length > 0);
    await first.coordinator.stop({ deadlineMs: 0 });
    expect(bugs).toEqual([]);
    const second = await start(new Table());
    await isSettled(second);
    expect(second.deadLetters.letters).toBe(1);
  });

  it('is not sought when it is the table that is missing: the lane waits', async () => {
    const table = new Table();
    table.down = failure('42P01');
    const one = await start(table);
    await one.coordinator.accept(valuesOf([1, 2]));
    await until(() => table.writes > 3);
    expect(one.deadLetters.letters).toBe(0);
    table.down = undefined;
    await isSettled(one);
    expect(table.rows.size).toBe(2);
  });
});

describe('rows that wait while others are taken', () => {
  const lockedRows = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => LOCKED + from + i);
  const areWaiting = (coordinator: DurableCoordinator<Values, number>, rows: number) =>
    until(() => coordinator.snapshot().isolation.rows === rows);

  it('hold up no others though they are more than the queue has room for', async () => {
    const table = new Table();
    table.lock = failure('55P03');
    const one = await start(table, { capacity: 100 });
    for (let i = 0; i < 40; i++) await one.coordinator.accept(valuesOf([i, ...lockedRows(10 * i, 10)]));
    await until(() => table.rows.size === 40);
    await areWaiting(one.coordinator, 400);
    const { outcome } = await one.coordinator.acceptAwaited(valuesOf([99]));
    expect(await outcome).toBe(1);
    expect(one.coordinator.snapshot().rows).toMatchObject({ accepted: 441, spooled: 440, residual: 0 });
    table.lock = undefined;
    await isSettled(one);
    expect(table.rows.size).toBe(441);
    expect(one.coordinator.snapshot().rows).toMatchObject({ committed: 441, residual: 0 });
  });

  it('keep the level no higher than the rows that are to be written', async () => {
    const table = new Table();
    table.lock = failure('55P03');
    const one = await start(table, { capacity: 1_000 });
    const levels: string[] = [];
    one.coordinator.onLevelChange(({ level, size }) => levels.push(`${level} ${size}`));
    const values = Array.from({ length: 900 }, (_, i) => 1_000 + i);
    await one.coordinator.accept(valuesOf([...values, ...lockedRows(0, 1)]));
    await until(() => one.coordinator.snapshot().queueSize === 0);
    expect(one.coordinator.snapshot()).toMatchObject({ level: 'ok', rows: { spooled: 901 } });
    expect(levels[0]).toBe('hard 901');
    expect(levels.at(-1)).toMatch(/^ok/);
    table.lock = undefined;
    await isSettled(one);
    expect(one.coordinator.snapshot()).toMatchObject({ queueSize: 0, rows: { committed: 901 } });
  });

  it('do not keep it from stopping', async () => {
    const table = new Table();
    table.lock = failure('55P03');
    const one = await start(table);
    await one.coordinator.accept(valuesOf([1, 2, ...lockedRows(0, 1)]));
    await until(() => table.rows.size === 2 && one.coordinator.snapshot().isolation.waitingRows === 1);
    const begun = performance.now();
    await one.coordinator.stop({ deadlineMs: 30_000 });
    expect(performance.now() - begun).toBeLessThan(15_000);
  });

  it('are written after the next start when the store stops before', async () => {
    const table = new Table();
    table.lock = failure('55P03');
    const one = await start(table, { capacity: 100 });
    for (let i = 0; i < 4; i++) await one.coordinator.accept(valuesOf([i, ...lockedRows(10 * i, 10)]));
    await areWaiting(one.coordinator, 40);
    await one.coordinator.stop({ deadlineMs: 1_000 });
    table.lock = undefined;
    const two = await start(table, { capacity: 100 });
    await isSettled(two);
    expect(table.rows.size).toBe(44);
    expect(two.coordinator.snapshot().rows).toMatchObject({ accepted: 44, committed: 44, residual: 0 });
  });

  it('are read again from the spool for as long as it does not read', async () => {
    const table = new Table();
    table.lock = failure('55P03');
    const disk = { fails: false, refused: 0 };
    const failures: unknown[] = [];
    const one = await start(table, {
      observer: { onFeedError: (error) => failures.push(error) },
      spoolFiles: {
        ...nodeFileSystem,
        open: (...place) => {
          if (!disk.fails) return nodeFileSystem.open(...place);
          disk.refused++;
          return Promise.reject(new Error('EIO: the disk'));
        },
      },
    });
    await one.coordinator.accept(valuesOf([1, ...lockedRows(0, 10), 2]));
    await areWaiting(one.coordinator, 10);
    disk.fails = true;
    await until(() => disk.refused > 20);
    table.lock = undefined;
    await until(() => disk.refused > 40);
    expect(failures).toHaveLength(1);
    expect(table.rows.size).toBe(2);
    expect(one.coordinator.snapshot()).toMatchObject({ rows: { residual: 0 }, deadLetters: 0 });
    disk.fails = false;
    await isSettled(one);
    expect(table.rows.size).toBe(12);
  });

  it('leave the entry that they are of to the garbage collection', async () => {
    setFlagsFromString('--expose_gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const table = new Table();
    table.lock = failure('55P03');
    const one = await start(table);
    const accept = async () => {
      const entry = valuesOf([...lockedRows(0, 1), 1, 2, 3]);
      await one.coordinator.accept(entry);
      return new WeakRef(entry);
    };
    const entry = await accept();
    await areWaiting(one.coordinator, 1);
    // What the workers took last is forgotten with what they take next.
    for (let i = 0; i < 4; i++) await (await one.coordinator.acceptAwaited(valuesOf([i]))).outcome;
    await until(() => {
      collectGarbage();
      return entry.deref() === undefined;
    });
    expect(one.coordinator.snapshot().rows).toMatchObject({ spooled: 4, residual: 0 });
  });
});

describe('bytes that cannot be understood', () => {
  it('are those too that hold another number of rows than were accepted', async () => {
    const table = new Table();
    table.down = failure('57P03');
    const before = await start(table);
    await before.spool.append({ payload: [Buffer.from('[1]')], rows: 2, time: 1, entry: valuesOf([1, 2]) });
    await before.coordinator.stop({ deadlineMs: 0 });
    const after = await start(new Table());
    await isSettled(after);
    expect(after.coordinator.snapshot().rows).toMatchObject({ committed: 0, deadLettered: 2, residual: 0 });
  });

  it('are a dead letter, and what follows is written', async () => {
    const table = new Table();
    table.down = failure('57P03');
    const before = await start(table);
    await before.spool.append({
      payload: [Buffer.from('no JSON')],
      rows: 3,
      time: 1,
      entry: valuesOf([1, 2, 3]),
    });
    await before.coordinator.accept(valuesOf([4]));
    await before.coordinator.stop({ deadlineMs: 0 });
    table.down = undefined;
    const after = await start(table);
    await isSettled(after);
    expect(table.rows).toEqual(new Set([4]));
    expect(after.coordinator.snapshot()).toMatchObject({
      deadLetters: 1,
      rows: { deadLettered: 3, residual: 0 },
    });
  });
});

describe('a dead letter on disk', () => {
  it('is never read wrongly, whichever bit of it was flipped', async () => {
    const dlq = join(directory, 'letters');
    const queue = await DeadLetterQueue.open({ directory: dlq });
    const payload = [Buffer.from('[1,2]')];
    await queue.add({
      id: '1-1-0',
      rows: 2,
      time: 1,
      refusedAt: 1,
      payload,
      reason: 'r',
      sqlstate: undefined,
      detail: '',
    });
    const [name = ''] = (await readdir(dlq)).filter((file) => file.endsWith('.dlq'));
    const whole = await readFile(join(dlq, name));
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const flipped = Buffer.from(whole);
      flipped.writeUInt8((flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3);
      await writeFile(join(dlq, name), flipped);
      const reopened = await DeadLetterQueue.open({ directory: dlq });
      await expect(reopened.read('1-1-0')).rejects.toThrow(DeadLetterDamagedError);
      expect([reopened.letters, reopened.rows]).toEqual([0, 0]);
    }
  });
});
