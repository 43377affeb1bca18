import { afterEach, describe, expect, it, jest } from '@jest/globals';

import { WriteCoordinator, type Takes, type WriteCoordinatorOptions } from '../../src/coordinator/index.js';
import type { EntrySource } from '../../src/coordinator/write.ticket.js';
import { settle, until } from './entries.js';
import { failure } from './scripted.sink.js';

/** An entry of rows with values; the tests give each value its fate. */
interface Values {
  readonly rows: number;
  readonly values: readonly number[];
}

/** So many neighbouring values are of one kind. */
const KIND = 1_000_000;

const valuesOf = (values: readonly number[]): Values => ({ rows: values.length, values });
const sourceOf = (values: readonly number[]): EntrySource<Values> => ({
  setAside: () => undefined,
  unqueued: () => undefined,
  read: () => Promise.resolve(valuesOf(values)),
});
const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

/** A table that refuses some values. */
class Table {
  readonly rows = new Set<number>();
  /** Values of each write, in the order in which they began. */
  readonly writes: number[][] = [];
  running = 0;
  mostRunning = 0;
  /** Why a value is refused. */
  refuses: (value: number) => Error | undefined = () => undefined;
  /** What is said of others; undefined: nobody can ask. */
  takes: Takes | undefined = { alike: true, any: true };
  /** The same for the values that were refused. */
  takesBeside: ((refused: readonly number[]) => Takes) | undefined;
  asked = 0;

  async write(entries: readonly Values[]): Promise<readonly number[]> {
    const values = entries.flatMap((entry) => entry.values);
    this.writes.push(values);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    try {
      await new Promise((resolve) => setImmediate(resolve));
      for (const value of values) {
        const error = this.refuses(value);
        if (error) throw error;
      }
      for (const value of values) this.rows.add(value);
      return entries.map(({ rows }) => rows);
    } finally {
      this.running--;
    }
  }

  takesOthers(refused: readonly Values[]): Promise<Takes> {
    this.asked++;
    const takes = this.takesBeside?.(refused.flatMap(({ values }) => values)) ?? this.takes;
    return takes ? Promise.resolve(takes) : Promise.reject(new Error('not asked'));
  }

  async tryEach(entries: readonly Values[]): Promise<readonly (Error | undefined)[]> {
    await new Promise((resolve) => setImmediate(resolve));
    return entries.map(({ values: [value = 0] }) => this.refuses(value));
  }
}

/** Runs of values of one kind. */
function kindsOf({ values }: Values): { kind: number; rows: number }[] {
  const runs: { kind: number; rows: number }[] = [];
  for (const value of values) {
    const kind = Math.floor(value / KIND);
    const last = runs.at(-1);
    if (last?.kind === kind) last.rows++;
    else runs.push({ kind, rows: 1 });
  }
  return runs;
}

interface Letter {
  readonly values: readonly number[];
  readonly firstRow: number;
  readonly reason: string;
}

const running: WriteCoordinator<Values, number>[] = [];
afterEach(() => Promise.all(running.splice(0).map((coordinator) => coordinator.stop({ deadlineMs: 0 }))));

function started(
  table: Table,
  options: Partial<WriteCoordinatorOptions<Values, number>> = {},
  methods: readonly ('takesOthers' | 'tryEach')[] = ['takesOthers', 'tryEach'],
) {
  const letters: Letter[] = [];
  const coordinator = new WriteCoordinator<Values, number>({
    id: 'test',
    capacity: 100_000,
    workers: 1,
    batchSize: 10_000,
    flushIntervalMs: 0,
    retry: { initialBackoffMs: 1, maxBackoffMs: 2, maxAttempts: 3 },
    breaker: { failureThreshold: 3, halfOpenAfterMs: 10 },
    sink: {
      write: (entries) => table.write(entries),
      ...(methods.includes('takesOthers') && { takesOthers: (refused) => table.takesOthers(refused) }),
      ...(methods.includes('tryEach') && { tryEach: (entries) => table.tryEach(entries) }),
    },
    parts: {
      slice: ({ values }, from, end) => valuesOf(values.slice(from, end)),
      kinds: kindsOf,
      sum: (results) => results.reduce((sum, one) => sum + one, 0),
    },
    ...options,
  });
  coordinator.start();
  running.push(coordinator);
  const deliver = async (values: readonly number[]): Promise<{ readonly outcome: Promise<unknown> }> => {
    const { outcome } = await coordinator.deliver(valuesOf(values), {
      flush: true,
      source: sourceOf(values),
      deadLetters: (part, firstRow, { reason }) => {
        letters.push({ values: part.values, firstRow, reason });
        return Promise.resolve();
      },
    });
    return { outcome: outcome.catch((error: unknown) => error) };
  };
  return { coordinator, letters, deliver };
}

const isEmpty = (coordinator: WriteCoordinator<Values, number>) =>
  until(() => coordinator.snapshot().queueSize + coordinator.snapshot().isolation.rows === 0);
const refusing =
  (code: string, isBad: (value: number) => boolean) =>
  (value: number): Error | undefined =>
    isBad(value) ? failure(code) : undefined;

describe('a row becomes a dead letter', () => {
  it('when it fails alone by its data while others are taken', async () => {
    const table = new Table();
    table.refuses = refusing('22003', (value) => value === 7);
    const { coordinator, letters, deliver } = started(table);
    const { outcome } = await deliver(range(0, 20));
    expect(await outcome).toMatchObject({ name: 'WriteRefusedError', rows: 1 });
    expect(letters).toEqual([{ values: [7], firstRow: 7, reason: 'sqlstate_22003' }]);
    expect(table.rows.size).toBe(19);
    expect(coordinator.snapshot()).toMatchObject({ queueSize: 0, circuitState: 'closed' });
  });

  it('together with its neighbours that fail by the same error', async () => {
    const table = new Table();
    table.refuses = (value) =>
      value < 10 ? undefined : value < 400 ? failure('23514') : value < 600 ? failure('22003') : undefined;
    const { coordinator, letters, deliver } = started(table);
    await deliver(range(0, 1_000));
    await isEmpty(coordinator);
    expect(letters.map(({ firstRow, values }) => [firstRow, values.length])).toEqual([
      [10, 390],
      [400, 100],
      [500, 100],
    ]);
    expect(table.rows.size).toBe(410);
  });

  it.each([
    ['a lock time-out', '55P03'],
    ['a cancelled query', '57014'],
    ['a limit of the server', '54000'],
    ['a missing table', '42P01'],
    ['a table of that name', '42P07'],
    ['a deadlock', '40P01'],
    ['a full disk', '53100'],
    ['an unknown code', 'ZZ000'],
    ['the sink taking too long', 'ETIMEDOUT'],
  ])('never by %s: it waits while others are written, and is written when that is over', async (_, code) => {
    const table = new Table();
    table.refuses = refusing(code, (value) => value % 10 === 7);
    const { coordinator, letters, deliver } = started(table);
    await deliver(range(0, 100));
    // After a while they wait outside memory, and take no room.
    await until(() => table.rows.size === 90 && coordinator.snapshot().queueSize === 0);
    expect(coordinator.snapshot()).toMatchObject({
      circuitState: 'closed',
      isolation: { rows: 10, cause: { code } },
    });
    table.refuses = () => undefined;
    await isEmpty(coordinator);
    expect([table.rows.size, letters]).toEqual([100, []]);
  });

  it('never by an error of our own code', async () => {
    const table = new Table();
    table.refuses = (value) => (value === 3 ? new TypeError('a bug') : undefined);
    const { coordinator, letters, deliver } = started(table);
    await deliver(range(0, 10));
    await until(() => table.rows.size === 9 && coordinator.snapshot().isolation.waitingRows === 1);
    table.refuses = () => undefined;
    await isEmpty(coordinator);
    expect([table.rows.size, letters]).toEqual([10, []]);
  });

  it('by a race only when it loses alone again and again', async () => {
    const table = new Table();
    let lost = 0;
    table.refuses = (value) => (value === 3 && lost++ < 4 ? failure('23505') : undefined);
    const { coordinator, letters, deliver } = started(table);
    await deliver(range(0, 10));
    await isEmpty(coordinator);
    expect([table.rows.size, letters]).toEqual([10, []]);
    table.refuses = refusing('23505', (value) => value === 13);
    await deliver(range(10, 10));
    await isEmpty(coordinator);
    expect(letters).toEqual([{ values: [13], firstRow: 3, reason: 'unique_violation' }]);
  });

  it('not by a race that it loses once, however often it waited for something else before', async () => {
    const table = new Table();
    const sifts = jest.spyOn(table, 'tryEach');
    table.refuses = (value) => {
      if (value !== 3) return undefined;
      const tries = sifts.mock.calls.length;
      return tries < 6 ? failure('55P03') : tries === 6 ? failure('23505') : undefined;
    };
    const { coordinator, letters, deliver } = started(table);
    await deliver(range(0, 10));
    await isEmpty(coordinator);
    expect([table.rows.size, letters]).toEqual([10, []]);
  });

  it('not by races that others beside it lost', async () => {
    const table = new Table();
    const sifts = jest.spyOn(table, 'tryEach');
    // One loses races from the beginning, the other waits for a lock and then loses one.
    table.refuses = (value) => {
      const tries = sifts.mock.calls.length;
      if (value === 3) return failure('23505');
      if (value === 4 && tries < 12) return failure(tries < 9 ? '55P03' : '23505');
      return undefined;
    };
    const { coordinator, letters, deliver } = started(table, {
      retry: { initialBackoffMs: 1, maxBackoffMs: 2, maxAttempts: 9 },
    });
    await deliver(range(0, 10));
    await isEmpty(coordinator);
    expect([table.rows.size, letters]).toEqual([
      9,
      [{ values: [3], firstRow: 3, reason: 'unique_violation' }],
    ]);
  });

  it('not by its data as long as only rows of other kinds are taken, also when the batch took too long', async () => {
    const table = new Table();
    const isBad = (value: number) => value >= KIND;
    table.takesBeside = (refused) => ({ alike: refused.some((value) => !isBad(value)), any: true });
    const sifts = jest.spyOn(table, 'tryEach');
    table.refuses = (value) => {
      if (sifts.mock.calls.length === 0) return failure('57014');
      return isBad(value) ? failure('23514') : undefined;
    };
    const { coordinator, letters, deliver } = started(table);
    await deliver(range(0, 1_000).flatMap((value) => [value, 1_000 + value, KIND + value]));
    await until(() => table.rows.size === 2_000 && coordinator.snapshot().isolation.rows === 1_000);
    expect(letters).toEqual([]);
    table.refuses = () => undefined;
    await isEmpty(coordinator);
    expect([table.rows.size, letters]).toEqual([3_000, []]);
  });
});

describe('a store that takes nothing', () => {
  it.each(['23502', '54000', '55P03', 'bug'])(
    'keeps all rows together, opens the circuit with its reason, and gets them when it takes them (%s)',
    async (code) => {
      const table = new Table();
      table.takes = { alike: false, any: false };
      const error = code === 'bug' ? new TypeError('a bug') : failure(code);
      table.refuses = () => error;
      const { coordinator, letters, deliver } = started(table);
      await deliver(range(0, 5_000));
      await until(() => coordinator.snapshot().circuitState !== 'closed');
      await until(() => table.writes.length > 8);
      expect(coordinator.snapshot()).toMatchObject({ queueSize: 5_000, circuitCause: error });
      expect(new Set(table.writes.map(({ length }) => length))).toEqual(new Set([5_000]));
      table.refuses = () => undefined;
      await isEmpty(coordinator);
      expect([table.rows.size, letters]).toEqual([5_000, []]);
      await until(() => coordinator.snapshot().circuitState === 'closed');
    },
  );

  it('is not asked whether it takes others when it cannot be reached', async () => {
    const table = new Table();
    table.refuses = () => failure('ECONNREFUSED');
    const { coordinator, deliver } = started(table);
    await deliver([1]);
    await until(() => coordinator.snapshot().circuitState !== 'closed');
    expect(table.asked).toBe(0);
    table.refuses = () => undefined;
    await isEmpty(coordinator);
  });

  it('of the same kind keeps them, and holds up no others', async () => {
    const table = new Table();
    table.takes = { alike: false, any: true };
    table.refuses = refusing('23514', (value) => value < 1_000);
    const { coordinator, letters, deliver } = started(table);
    await deliver(range(0, 900));
    await until(() => coordinator.snapshot().isolation.waitingRows === 900);
    await deliver(range(1_000, 50));
    await until(() => table.rows.size === 50);
    expect(coordinator.snapshot().circuitState).toBe('closed');
    expect(new Set(table.writes.map(({ length }) => length))).toEqual(new Set([900, 50]));
    table.refuses = () => undefined;
    await isEmpty(coordinator);
    expect([table.rows.size, letters]).toEqual([950, []]);
  });
});

describe('a batch of several kinds', () => {
  const waitingRows = (coordinator: WriteCoordinator<Values, number>) =>
    coordinator.snapshot().isolation.waitingRows;

  it('is cut by kind at once when one kind is not taken', async () => {
    const table = new Table();
    table.refuses = refusing('42P01', (value) => value >= KIND);
    const { coordinator, deliver } = started(table);
    await deliver([...range(0, 3_000), KIND, ...range(3_000, 2_000), KIND + 1]);
    await until(() => waitingRows(coordinator) === 2);
    expect(table.rows.size).toBe(5_000);
    expect(table.writes.slice(0, 3).map(({ length }) => length)).toEqual([5_002, 5_000, 2]);
    table.refuses = () => undefined;
    await isEmpty(coordinator);
    expect(table.rows.size).toBe(5_002);
  });

  it('gets the good kinds written though the store says that it takes none of the others', async () => {
    const table = new Table();
    table.takes = { alike: false, any: true };
    table.refuses = refusing('42P01', (value) => value >= KIND);
    const { coordinator, deliver } = started(table);
    await deliver([...range(KIND, 600), ...range(0, 600), ...range(2 * KIND, 600)]);
    await until(() => waitingRows(coordinator) === 1_200);
    expect(table.rows).toEqual(new Set(range(0, 600)));
    table.refuses = () => undefined;
    await isEmpty(coordinator);
  });

  it.each([
    { alike: true, any: true },
    { alike: false, any: true },
  ])('is halved first when kinds alternate too often (%j)', async (takes) => {
    const table = new Table();
    table.takes = takes;
    table.refuses = refusing('42P01', (value) => value >= KIND);
    const { coordinator, letters, deliver } = started(table);
    await deliver(range(0, 2_000).flatMap((value) => [value, KIND + value]));
    await until(() => table.rows.size === 2_000);
    expect(table.rows).toEqual(new Set(range(0, 2_000)));
    table.refuses = () => undefined;
    await isEmpty(coordinator);
    expect([table.rows.size, letters]).toEqual([4_000, []]);
  });
});

describe('a store that cannot tell', () => {
  it.each([
    ['has nothing to tell it by', { alike: undefined, any: undefined }, ['takesOthers', 'tryEach'] as const],
    ['cannot be asked', undefined, [] as const],
  ])('as it %s proves it by a commit of others', async (_, takes, methods) => {
    const table = new Table();
    table.takes = takes;
    table.refuses = refusing('22003', (value) => value < 10);
    const { coordinator, letters, deliver } = started(table, {}, methods);
    await deliver([1, 2]);
    await until(() => coordinator.snapshot().isolation.waitingRows === 2);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(letters).toEqual([]);
    await deliver([11]);
    await isEmpty(coordinator);
    expect(letters.flatMap(({ values }) => values).sort()).toEqual([1, 2]);
    expect(table.rows).toEqual(new Set([11]));
  });
});

describe('a commit of others', () => {
  it('is proof too when it ends after the row has failed once more', async () => {
    const table = new Table();
    table.refuses = refusing('22003', (value) => value < 10);
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const write = table.write.bind(table);
    table.write = async (entries) => {
      if (entries.some(({ values }) => values.includes(11))) await gate;
      return await write(entries);
    };
    const { coordinator, letters, deliver } = started(table, {}, []);
    await deliver([1]);
    await until(() => coordinator.snapshot().isolation.waitingRows === 1);
    await deliver([11]);
    await settle();
    const tries = table.writes.length;
    await until(() => table.writes.length > tries + 2);
    expect(letters).toEqual([]);
    open();
    await isEmpty(coordinator);
    expect(letters.flatMap(({ values }) => values)).toEqual([1]);
  });
});

describe('a batch that takes too long', () => {
  it('is never tried again as a whole', async () => {
    const table = new Table();
    table.refuses = refusing('57014', (value) => value === 700);
    const { coordinator, deliver } = started(table);
    await deliver(range(0, 2_000));
    await until(() => table.rows.size === 1_999);
    expect(table.writes.filter(({ length }) => length === 2_000)).toHaveLength(1);
    table.refuses = () => undefined;
    await isEmpty(coordinator);
  });

  it('is halved where rows cannot be tried one by one', async () => {
    const table = new Table();
    table.refuses = refusing('57014', (value) => value === 70);
    const { coordinator, deliver } = started(table, {}, ['takesOthers']);
    await deliver(range(0, 128));
    await until(() => table.rows.size === 127);
    // The other half of each that fails, and the row itself.
    expect(table.writes.slice(0, 15).map(({ length }) => length)).toEqual([
      ...[128, 64, 64, 32, 32, 16, 16, 8, 8, 4, 4, 2, 2, 1, 1],
    ]);
    table.refuses = () => undefined;
    await isEmpty(coordinator);
  });
});

describe('bad rows', () => {
  it('of more bodies than the queue has room for do not hold up good ones, though none was tried yet', async () => {
    const table = new Table();
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    table.refuses = refusing('23514', (value) => value < 30_000);
    const tryEach = table.tryEach.bind(table);
    table.tryEach = async (entries) => {
      await gate;
      return await tryEach(entries);
    };
    const { coordinator, letters, deliver } = started(table, { capacity: 1_000 });
    for (let body = 0; body < 30; body++) await deliver(range(100 * body, 100));
    await until(() => coordinator.snapshot().isolation.rows === 3_000);
    expect(await (await deliver([30_000])).outcome).toBe(1);
    expect(coordinator.snapshot().isolation).toMatchObject({ rows: 3_000, waitingRows: 0 });
    open();
    await isEmpty(coordinator);
    expect(letters.reduce((sum, { values }) => sum + values.length, 0)).toBe(3_000);
    expect([...table.rows]).toEqual([30_000]);
  });

  it('by the thousand take one write at a time, and do not hold up good ones', async () => {
    const table = new Table();
    table.refuses = refusing('23514', (value) => value < 30_000);
    const { coordinator, letters, deliver } = started(table);
    for (let body = 0; body < 3; body++) await deliver(range(10_000 * body, 10_000));
    await until(() => coordinator.snapshot().isolation.rows > 0);
    let meanwhile = 0;
    for (let i = 0; coordinator.snapshot().isolation.rows > 0; i++) {
      expect(await (await deliver([30_000 + i])).outcome).toBe(1);
      meanwhile++;
    }
    expect(meanwhile).toBeGreaterThan(5);
    // The worker and the isolator.
    expect(table.mostRunning).toBe(2);
    expect(letters.reduce((sum, { values }) => sum + values.length, 0)).toBe(30_000);
    expect(letters.length).toBeLessThan(150);
  });

  it('found already are tried after a larger batch that came later', async () => {
    const table = new Table();
    table.refuses = refusing('55P03', (value) => value < 100 || value === 1_050);
    const { coordinator, deliver } = started(table, {}, ['takesOthers']);
    await deliver(range(0, 100));
    await until(() => table.writes.length > 20);
    const before = table.writes.length;
    await deliver(range(1_000, 200));
    await until(() => table.rows.size > 100);
    const tries = table.writes.slice(before).map(({ length }) => length);
    // Whatever single row was being read, one of the oldest batch, and then the half.
    expect(tries.indexOf(100)).toBeLessThanOrEqual(tries.indexOf(200) + 3);
    table.refuses = () => undefined;
    await isEmpty(coordinator);
  });

  it('make no queue look slow', async () => {
    const table = new Table();
    table.refuses = refusing('55P03', (value) => value === 5);
    const { coordinator, deliver } = started(table);
    await deliver(range(0, 10));
    await until(() => table.rows.size === 9 && coordinator.snapshot().isolation.waitingRows === 1);
    const soon = coordinator.retryAfterMs(1_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(coordinator.retryAfterMs(1_000)).toBe(soon);
  });

  it('whose dead letter cannot be made is no reason to lose them', async () => {
    const table = new Table();
    table.refuses = refusing('22003', (value) => value === 2);
    const bugs: unknown[] = [];
    const { coordinator } = started(table, { observer: { onWorkerBug: (bug) => bugs.push(bug) } });
    let tries = 0;
    await coordinator
      .deliver(valuesOf([1, 2, 3]), {
        source: sourceOf([1, 2, 3]),
        deadLetters: () => (++tries < 3 ? Promise.reject(new Error('no letter')) : Promise.resolve()),
      })
      .then(({ outcome }) => outcome.catch(() => undefined));
    await isEmpty(coordinator);
    expect([tries, bugs.length]).toEqual([3, 2]);
  });

  it.each([
    ['all of them', () => true],
    ['the first of them', (value: number) => value < 10],
  ])('are none when their cause ends while they are tried: it refused %s', async (_, isRefused) => {
    const table = new Table();
    const sifts = jest.spyOn(table, 'tryEach');
    table.refuses = (value) =>
      sifts.mock.calls.length < 2 && isRefused(value) ? failure('23502') : undefined;
    const { coordinator, letters, deliver } = started(table);
    await deliver(range(0, 30));
    await isEmpty(coordinator);
    expect([letters, table.rows.size]).toEqual([[], 30]);
  });

  it('are not proven by a commit that was done during their try', async () => {
    const table = new Table();
    const tryEach = table.tryEach.bind(table);
    let sifts = 0;
    table.refuses = (value) => (value === 1 && sifts < 3 ? failure('23502') : undefined);
    const { coordinator, letters, deliver } = started(table, {}, ['tryEach']);
    table.tryEach = async (entries) => {
      sifts += 1;
      const errors = await tryEach(entries);
      // It may have waited for what ended the cause, as this try did not.
      if (sifts === 2) await (await deliver([2])).outcome;
      return errors;
    };
    await deliver([1]);
    await isEmpty(coordinator);
    expect([letters, [...table.rows]]).toEqual([[], [2, 1]]);
  });

  it('that the disk does not read meanwhile lose no race by that', async () => {
    const table = new Table();
    const sifts = jest.spyOn(table, 'tryEach');
    // Lost four times when tried apart, twice each time, and a fifth time would be proof.
    table.refuses = () => (sifts.mock.calls.length < 9 ? failure('23505') : undefined);
    const retry = { initialBackoffMs: 1, maxBackoffMs: 2, maxAttempts: 5 };
    const { coordinator } = started(table, { retry });
    let reads = 0;
    let letters = 0;
    const { outcome } = await coordinator.deliver(valuesOf([1]), {
      flush: true,
      deadLetters: () => {
        letters++;
        return Promise.resolve();
      },
      source: {
        setAside: () => undefined,
        unqueued: () => undefined,
        read: () => (++reads < 6 ? Promise.reject(new Error('EIO')) : Promise.resolve(valuesOf([1]))),
      },
    });
    expect(await outcome.catch((error: unknown) => error)).toBe(1);
    expect([letters, reads]).toEqual([0, 7]);
  });

  it('are not read again when they wait for a moment only', async () => {
    const table = new Table();
    const sifts = jest.spyOn(table, 'tryEach');
    table.refuses = () => (sifts.mock.calls.length < 3 ? failure('55P03') : undefined);
    const { coordinator } = started(table);
    const read = jest.fn(() => Promise.reject(new Error('ENOENT')));
    const source = { setAside: () => undefined, unqueued: () => undefined, read };
    const { outcome } = await coordinator.deliver(valuesOf([1]), {
      flush: true,
      source,
      deadLetters: () => Promise.resolve(),
    });
    expect([await outcome, read.mock.calls.length]).toEqual([1, 0]);
  });
});

describe('a stop', () => {
  it('writes what can be written, and does not wait for rows that wait while others are taken', async () => {
    const table = new Table();
    table.refuses = refusing('55P03', (value) => value === 5);
    const { coordinator, deliver } = started(table);
    const { outcome } = await deliver(range(0, 10));
    await until(() => coordinator.snapshot().isolation.waitingRows === 1);
    const more = await deliver(range(10, 10));
    const begun = performance.now();
    await coordinator.stop({ deadlineMs: 30_000 });
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(table.rows.size).toBe(19);
    expect(await more.outcome).toBe(10);
    expect(await outcome).toMatchObject({ name: 'CoordinatorStoppedError', outcomeUnknown: true });
    await settle();
    expect(coordinator.snapshot().queueSize).toBe(0);
  });
});
