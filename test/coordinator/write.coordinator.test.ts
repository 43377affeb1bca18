import { afterEach, describe, expect, it } from '@jest/globals';
import {
  CircuitOpenError,
  CoordinatorStoppedError,
  QueueFullError,
  WriteCoordinator,
  type WriteCoordinatorOptions,
  type WriteObserver,
  WriteRefusedError,
} from '../../src/coordinator/index.js';
import { entry, type NamedEntry, settle, until } from './entries.js';
import { failure, ScriptedSink, type Script } from './scripted.sink.js';

/** So long a flush interval that only full batches are written: a stalled test cannot split them. */
const HOUR = 3_600_000;

type Options = Partial<WriteCoordinatorOptions<NamedEntry, string>>;

const running: WriteCoordinator<NamedEntry, string>[] = [];
afterEach(() => Promise.all(running.splice(0).map((coordinator) => coordinator.stop({ deadlineMs: 0 }))));

/** A started coordinator on a scripted sink, with short times. */
function started(script: Script, options: Options = {}) {
  const sink = new ScriptedSink(script);
  const coordinator = new WriteCoordinator<NamedEntry, string>({
    id: 'test',
    capacity: 1000,
    workers: 2,
    batchSize: 100,
    flushIntervalMs: 5,
    retry: { initialBackoffMs: 1, maxBackoffMs: 5 },
    breaker: { failureThreshold: 5, halfOpenAfterMs: 20 },
    sink,
    ...options,
  });
  coordinator.start();
  running.push(coordinator);
  return { sink, coordinator };
}

function expectBalanced(coordinator: WriteCoordinator<NamedEntry, string>): void {
  const { rows, queueSize } = coordinator.snapshot();
  expect(rows.accepted).toBe(rows.committed + rows.refused + queueSize);
}

const settled = (promise: Promise<unknown>) =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  );

describe('writing', () => {
  it('gives every submitter its own result after the commit', async () => {
    const { sink, coordinator } = started(() => undefined, { batchSize: 50, flushIntervalMs: HOUR });
    const results = await Promise.all(Array.from({ length: 250 }, (_, i) => coordinator.submit(entry(i))));
    expect(results).toEqual(Array.from({ length: 250 }, (_, i) => `result ${i}`));
    expect(sink.batches.flat()).toEqual(Array.from({ length: 250 }, (_, i) => i));
    expect(sink.batches.map((batch) => batch.length)).toEqual([50, 50, 50, 50, 50]);
    expect(coordinator.snapshot()).toEqual({
      coordinatorId: 'test',
      workersAlive: 2,
      queueSize: 0,
      capacity: 1000,
      utilization: 0,
      level: 'ok',
      circuitState: 'closed',
      isolation: { rows: 0, waitingRows: 0, asideRows: 0 },
      rows: { accepted: 250, committed: 250, refused: 0 },
    });
  });

  it('waits the flush interval for company, unless the submitter asks for a flush', async () => {
    const { sink, coordinator } = started(() => undefined, { flushIntervalMs: 60 });
    const startedAt = performance.now();
    await Promise.all([coordinator.submit(entry(1)), coordinator.submit(entry(2))]);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(59);
    expect(sink.batches).toEqual([[1, 2]]);
    const patient = started(() => undefined, { flushIntervalMs: HOUR });
    const first = patient.coordinator.submit(entry(3));
    await patient.coordinator.submit(entry(4), { flush: true });
    expect(await first).toBe('result 3');
    expect(patient.sink.batches).toEqual([[3, 4]]);
  });

  it('writes as many batches at a time as it has workers, and no more', async () => {
    const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
    const { sink, coordinator } = started(pause, { workers: 3, batchSize: 1, capacity: 30 });
    await Promise.all(Array.from({ length: 30 }, (_, i) => coordinator.submit(entry(i))));
    expect(sink.mostRunning).toBe(3);
  });

  it('begins with small batches, so that a service that dies soon gets on', async () => {
    const { sink, coordinator } = started(() => undefined, {
      workers: 1,
      batchSize: 5_000,
      capacity: 20_000,
    });
    await Promise.all(Array.from({ length: 40 }, (_, i) => coordinator.submit(entry(i, 500))));
    expect(sink.batches.map((batch) => 500 * batch.length)).toEqual([
      1_000, 2_000, 4_000, 5_000, 5_000, 3_000,
    ]);
  });

  it('tries a transient failure again, and refuses with the cause after the last attempt', async () => {
    const cause = failure('40P01');
    const { sink, coordinator } = started((_, call) => {
      if (call < 4) throw cause;
    });
    expect(await coordinator.submit(entry(1))).toBe('result 1');
    expect(sink.calls).toBe(5);
    sink.script = () => {
      throw cause;
    };
    const refused = settled(coordinator.submit(entry(2, 7)));
    expect(await refused).toBeInstanceOf(WriteRefusedError);
    expect(await refused).toMatchObject({ rows: 7, reason: 'transaction_rollback', cause });
    expect(sink.calls).toBe(10);
  });

  it('isolates the one bad entry of 64 and commits the rest in order', async () => {
    const { sink, coordinator } = started(
      (entries) => {
        if (entries.some(({ id }) => id === 41)) throw failure('22003');
      },
      { workers: 1, batchSize: 64, flushIntervalMs: HOUR },
    );
    const outcomes = await Promise.all(
      Array.from({ length: 64 }, (_, i) => settled(coordinator.submit(entry(i)))),
    );
    expect(outcomes[41]).toMatchObject({ name: 'WriteRefusedError', reason: 'sqlstate_22003' });
    expect(outcomes.filter((outcome) => outcome instanceof Error)).toHaveLength(1);
    expect(sink.batches.flat()).toEqual(Array.from({ length: 64 }, (_, i) => i).filter((i) => i !== 41));
    expect(sink.calls).toBe(13);
    expect(coordinator.snapshot().rows).toEqual({ accepted: 64, committed: 63, refused: 1 });
  });

  it('keeps its workers whatever the sink throws', async () => {
    const { sink, coordinator } = started(() => {
      throw new TypeError('a bug');
    });
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => settled(coordinator.submit(entry(i)))),
    );
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: 'unknown' });
    sink.script = () => undefined;
    expect(await coordinator.submit(entry(99))).toBe('result 99');
    expect(coordinator.snapshot()).toMatchObject({ workersAlive: 2, circuitState: 'closed', queueSize: 0 });
  });

  it('refuses, and does not invent, results that a faulty sink left out', async () => {
    const { coordinator } = started(() => undefined, { sink: { write: () => Promise.resolve([]) } });
    const outcome = await settled(coordinator.submit(entry(1)));
    expect(outcome).toMatchObject({
      name: 'WriteRefusedError',
      cause: { message: 'the sink gave 0 results for 1 entries' },
    });
  });
});

describe('more workers than one', () => {
  it('write when as much waits as the low watermark', async () => {
    let release = (): void => undefined;
    const hanging = new Promise<void>((resolve) => (release = resolve));
    const { sink, coordinator } = started(() => hanging, {
      capacity: 40,
      lowWatermark: 6,
      batchSize: 5,
      flushIntervalMs: 0,
    });
    const first = coordinator.submit(entry(0));
    await settle();
    expect(sink.running).toBe(1);
    const waiting = Array.from({ length: 5 }, (_, i) => coordinator.submit(entry(1 + i)));
    await settle();
    expect(sink.running).toBe(1);
    waiting.push(coordinator.submit(entry(6)));
    await settle();
    expect(sink.running).toBe(2);
    release();
    await Promise.all([first, ...waiting]);
  });

  it('wait for company however low the watermark is', async () => {
    const { sink, coordinator } = started(() => undefined, { lowWatermark: 0, flushIntervalMs: 100 });
    await settle();
    const outcomes = Array.from({ length: 3 }, (_, i) => coordinator.submit(entry(i)));
    await settle();
    expect(sink.calls).toBe(0);
    await Promise.all(outcomes);
    expect(sink.calls).toBe(1);
  });

  it('write what is left when no more comes', async () => {
    let release = (): void => undefined;
    const hanging = new Promise<void>((resolve) => (release = resolve));
    const { sink, coordinator } = started(() => hanging, {
      capacity: 1_000,
      batchSize: 5,
      // Only the quiet can make a second one write.
      flushIntervalMs: HOUR,
    });
    const outcomes = Array.from({ length: 16 }, (_, i) => coordinator.submit(entry(i)));
    await settle();
    expect(sink.running).toBe(1);
    await until(() => sink.running === 2);
    release();
    await until(() => sink.calls === 3);
    outcomes.push(coordinator.submit(entry(16), { flush: true }));
    await Promise.all(outcomes);
    expect(sink.batches.map((batch) => batch.length)).toEqual([5, 5, 5, 2]);
  });

  it.each([
    ['what somebody waits for, at once', true, 0, 400],
    ['what waits too long', false, 400, 5_000],
  ])('write %s, when the first hangs', async (_, flush, least, most) => {
    let release = (): void => undefined;
    const hanging = new Promise<void>((resolve) => (release = resolve));
    const { coordinator } = started((_entries, call) => (call === 0 ? hanging : undefined), {
      flushIntervalMs: 0,
    });
    const first = coordinator.submit(entry(0));
    await settle();
    const startedAt = performance.now();
    await expect(coordinator.submit(entry(1), { flush })).resolves.toBe('result 1');
    const taken = performance.now() - startedAt;
    expect([taken >= least, taken <= most]).toEqual([true, true]);
    release();
    await first;
  });
});

describe('while the database is away', () => {
  it('keeps trying what it accepted, for longer than any number of attempts, and recovers by itself', async () => {
    let away = true;
    const { sink, coordinator } = started(() => {
      if (away) throw failure('ECONNREFUSED');
    });
    const states: string[] = [];
    coordinator.onCircuitChange(({ state }) => states.push(state));
    const outcome = coordinator.submit(entry(1, 10));
    await until(() => sink.calls >= 12);
    expect(coordinator.snapshot()).toMatchObject({
      queueSize: 10,
      rows: { accepted: 10, committed: 0, refused: 0 },
    });
    away = false;
    expect(await outcome).toBe('result 1');
    await settle();
    expect(states.slice(0, 3)).toEqual(['open', 'half_open', 'open']);
    expect(states.slice(-2)).toEqual(['half_open', 'closed']);
    expect(await coordinator.submit(entry(2))).toBe('result 2');
  });

  it('refuses new entries at once while the circuit is open, with the time to wait', async () => {
    const { coordinator } = started(
      () => {
        throw failure('57P03');
      },
      { breaker: { failureThreshold: 1, halfOpenAfterMs: 5000 } },
    );
    const first = settled(coordinator.submit(entry(1), { flush: true }));
    await until(() => coordinator.snapshot().circuitState === 'open');
    const refused = await settled(coordinator.submit(entry(2)));
    expect(refused).toBeInstanceOf(CircuitOpenError);
    expect((refused as CircuitOpenError).retryAfterMs).toBeGreaterThan(4000);
    expect(coordinator.retryAfterMs()).toBeGreaterThan(4000);
    expect(coordinator.snapshot().rows).toEqual({ accepted: 1, committed: 0, refused: 0 });
    await coordinator.stop({ deadlineMs: 10 });
    expect(await first).toMatchObject({ name: 'CoordinatorStoppedError', outcomeUnknown: true });
  });

  it('sends one probe at a time, though every worker waits with a batch', async () => {
    let away = true;
    const { sink, coordinator } = started(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 3));
        if (away) throw failure('ECONNRESET');
      },
      { workers: 8, batchSize: 1, breaker: { failureThreshold: 8, halfOpenAfterMs: 10 } },
    );
    const outcomes = Array.from({ length: 40 }, (_, i) => coordinator.submit(entry(i), { flush: true }));
    await until(() => coordinator.snapshot().circuitState === 'open' && sink.running === 0);
    sink.mostRunning = 0;
    const before = sink.calls;
    await until(() => sink.calls >= before + 5);
    expect(sink.mostRunning).toBe(1);
    away = false;
    await Promise.all(outcomes);
    expect(sink.batches.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  it('makes a worker that comes second to the probe wait, which is no write error', async () => {
    let errors = 0;
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const { sink, coordinator } = started(
      async (_, call) => {
        if (call === 0) throw failure('ECONNREFUSED');
        await released;
      },
      {
        workers: 3,
        // Small enough that one entry is a backlog.
        capacity: 4,
        batchSize: 1,
        breaker: { failureThreshold: 1, halfOpenAfterMs: 1 },
        // The first worker sleeps long enough to leave the probe to the two that come together.
        retry: { initialBackoffMs: 300, maxBackoffMs: 300, jitter: false },
        observer: { onWriteError: () => errors++ },
      },
    );
    const first = coordinator.submit(entry(1));
    await until(() => coordinator.snapshot().circuitState === 'open');
    await new Promise((resolve) => setTimeout(resolve, 5));
    const together = [2, 3].map((id) => coordinator.submit(entry(id)));
    await until(() => sink.running > 0);
    await settle();
    expect(sink.running).toBe(1);
    release();
    expect(await Promise.all([first, ...together])).toEqual(['result 1', 'result 2', 'result 3']);
    expect(errors).toBe(1);
  });

  it('lets the first submitter after the pause through, when nothing else is there to probe with', async () => {
    let away = true;
    const { coordinator } = started(
      () => {
        if (away) throw failure('ECONNREFUSED');
      },
      { breaker: { failureThreshold: 1, halfOpenAfterMs: 1 } },
    );
    const first = coordinator.submit(entry(1));
    await until(() => coordinator.snapshot().circuitState === 'open');
    away = false;
    await first;
    expect(await coordinator.submit(entry(2))).toBe('result 2');
  });
});

describe('when full', () => {
  it('refuses with QueueFullError, counting rows in flight, and takes entries again after the commit', async () => {
    const gate = { open: (): void => undefined };
    const opened = new Promise<void>((resolve) => (gate.open = resolve));
    const { coordinator } = started(() => opened, { capacity: 10, workers: 1, batchSize: 5 });
    const levels: string[] = [];
    coordinator.onLevelChange(({ level }) => levels.push(level));
    const held = [1, 2].map((id) => coordinator.submit(entry(id, 5), { flush: true }));
    expect(coordinator.snapshot()).toMatchObject({ queueSize: 10, utilization: 1, level: 'hard' });
    const refused = await settled(coordinator.submit(entry(3)));
    expect(refused).toBeInstanceOf(QueueFullError);
    expect(refused).toMatchObject({ size: 10, capacity: 10, rows: 1 });
    expect(coordinator.retryAfterMs()).toBeGreaterThanOrEqual(1000);
    expect(coordinator.retryAfterMs()).toBeLessThanOrEqual(30_000);
    gate.open();
    await Promise.all(held);
    expect(await coordinator.submit(entry(4))).toBe('result 4');
    await settle();
    expect(levels).toEqual(['hard', 'ok']);
    expectBalanced(coordinator);
  });
});

describe('stopping', () => {
  it('writes all that is queued and in flight, then refuses', async () => {
    const pause = () => new Promise((resolve) => setTimeout(resolve, 2));
    const { sink, coordinator } = started(pause, { flushIntervalMs: 60_000, batchSize: 10 });
    const outcomes = Array.from({ length: 95 }, (_, i) => coordinator.submit(entry(i)));
    await Promise.all([coordinator.stop({ deadlineMs: 5000 }), coordinator.stop({ deadlineMs: 0 })]);
    expect(await Promise.all(outcomes)).toHaveLength(95);
    expect(sink.batches.flat()).toHaveLength(95);
    expect(coordinator.snapshot()).toMatchObject({ workersAlive: 0, queueSize: 0, rows: { committed: 95 } });
    const late = await settled(coordinator.submit(entry(99)));
    expect(late).toBeInstanceOf(CoordinatorStoppedError);
    expect(late).toMatchObject({ rows: 1, outcomeUnknown: false });
    expect(() => coordinator.start()).toThrow(CoordinatorStoppedError);
  });

  it('ends by the deadline though the sink hangs, answers everybody, and counts nothing twice', async () => {
    const gate = { open: (): void => undefined };
    const opened = new Promise<void>((resolve) => (gate.open = resolve));
    const { sink, coordinator } = started(() => opened, { workers: 1, batchSize: 10, flushIntervalMs: HOUR });
    const outcomes = Array.from({ length: 30 }, (_, i) => settled(coordinator.submit(entry(i))));
    await until(() => sink.running === 1);
    const startedAt = performance.now();
    await coordinator.stop({ deadlineMs: 50 });
    expect(performance.now() - startedAt).toBeLessThan(2000);
    const errors = (await Promise.all(outcomes)) as CoordinatorStoppedError[];
    expect(errors.filter(({ outcomeUnknown }) => outcomeUnknown)).toHaveLength(10);
    for (const error of errors) expect(error).toBeInstanceOf(CoordinatorStoppedError);
    const after = { queueSize: 0, rows: { accepted: 30, committed: 0, refused: 30 } };
    expect(coordinator.snapshot()).toMatchObject({ workersAlive: 1, ...after });
    gate.open();
    await until(() => coordinator.snapshot().workersAlive === 0);
    expect(coordinator.snapshot()).toMatchObject(after);
    expect(sink.calls).toBe(1);
  });

  it('gives up waiting for an open circuit and for a backoff at the deadline', async () => {
    for (const options of [
      { breaker: { failureThreshold: 1, halfOpenAfterMs: 60_000 } },
      { retry: { initialBackoffMs: 60_000, maxBackoffMs: 60_000, random: () => 0.99 } },
    ]) {
      const { sink, coordinator } = started(() => {
        throw failure('ECONNREFUSED');
      }, options);
      const outcome = settled(coordinator.submit(entry(1)));
      await until(() => sink.calls === 1 && sink.running === 0);
      await coordinator.stop({ deadlineMs: 20 });
      expect(await outcome).toBeInstanceOf(CoordinatorStoppedError);
      await until(() => coordinator.snapshot().workersAlive === 0);
      expectBalanced(coordinator);
    }
  });

  it('can be stopped before it was started, and refuses before the start', async () => {
    const coordinator = new WriteCoordinator<NamedEntry, string>({
      id: 'early',
      capacity: 10,
      workers: 1,
      batchSize: 1,
      flushIntervalMs: 1,
      sink: new ScriptedSink(),
    });
    await expect(coordinator.submit(entry(1))).rejects.toThrow('coordinator early is not running: 1 rows');
    await coordinator.stop({ deadlineMs: 1000 });
  });
});

describe('the observer', () => {
  it('is told what happened, with numbers', async () => {
    const told: unknown[][] = [];
    const note =
      (name: string) =>
      (...args: unknown[]) =>
        told.push([name, ...args]);
    const observer: WriteObserver = {
      onAccepted: note('accepted'),
      onRefused: note('refused'),
      onBatchWritten: note('written'),
      onWriteError: (workerId, errorClass, _, attempt) => note('error')(workerId, errorClass, attempt),
    };
    const { coordinator } = started(
      ([first], call) => {
        if (first?.id === 2) throw failure('22003');
        if (call === 0) throw failure('40001');
      },
      { workers: 1, capacity: 10, observer },
    );
    await coordinator.submit(entry(1, 3));
    await settled(coordinator.submit(entry(2, 4)));
    await settled(coordinator.submit(entry(3, 11)));
    await coordinator.stop({ deadlineMs: 100 });
    await settled(coordinator.submit(entry(4, 5)));
    expect(told).toEqual([
      ['accepted', 3],
      ['error', 0, 'transient', 1],
      ['written', 0, 3, 1, expect.any(Number)],
      ['accepted', 4],
      ['error', 0, 'data', 1],
      ['refused', 4, 'write_refused'],
      ['refused', 11, 'queue_full'],
      ['refused', 5, 'not_running'],
    ]);
  });

  it('that throws in every callback changes nothing and is reported', async () => {
    const bugs: unknown[] = [];
    const bug = () => {
      throw new Error('observer');
    };
    const { coordinator } = started(
      (_, call) => {
        if (call === 0) throw failure('40001');
      },
      {
        observer: {
          onAccepted: bug,
          onRefused: bug,
          onBatchWritten: bug,
          onWriteError: () => Promise.reject(new Error('observer')),
          onWorkerBug: (error) => bugs.push(error),
        },
      },
    );
    expect(await coordinator.submit(entry(1))).toBe('result 1');
    expect(await settled(coordinator.submit(entry(2, 5000)))).toBeInstanceOf(QueueFullError);
    await settle();
    expect(bugs).toHaveLength(4);
    expectBalanced(coordinator);
  });

  it('hears of a worker that throws by a bug; the worker goes on and its submitters are answered', async () => {
    const bugs: unknown[] = [];
    const poisoned = {
      get length(): number {
        return 1;
      },
      get 0(): string {
        throw new Error('poisoned result');
      },
    };
    let poison = true;
    const { coordinator } = started(() => undefined, {
      workers: 1,
      observer: { onWorkerBug: (error) => bugs.push(error) },
      sink: {
        write: (entries) =>
          Promise.resolve(
            poison ? (poisoned as unknown as string[]) : entries.map(({ id }) => `result ${id}`),
          ),
      },
    });
    const outcome = await settled(coordinator.submit(entry(1, 4)));
    expect(outcome).toMatchObject({ name: 'WriteRefusedError', reason: 'worker_bug', rows: 4 });
    expect(bugs).toHaveLength(1);
    poison = false;
    expect(await coordinator.submit(entry(2))).toBe('result 2');
    expect(coordinator.snapshot().workersAlive).toBe(1);
    expectBalanced(coordinator);
  });
});
