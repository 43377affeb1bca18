import { afterEach, describe, expect, it, jest } from '@jest/globals';

import {
  FeedbackBus,
  type FeedbackEvent,
  LevelSignaller,
  WriteCoordinator,
  type WriteCoordinatorOptions,
} from '../../src/coordinator/index.js';
import { entry, type NamedEntry, settle, until } from './entries.js';
import { coreErrors } from './feedback.events.js';
import { failure, ScriptedSink, type Script } from './scripted.sink.js';

/** Longer than any test: no heartbeat. */
const NO_HEARTBEAT = 3_600_000;

interface Options extends Partial<WriteCoordinatorOptions<NamedEntry, string>> {
  readonly heartbeatMs?: number;
  readonly onListenerError?: (error: unknown) => void;
}

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

/** A coordinator of 100 rows with the watermarks 50 and 80, that signals to a bus. */
function signalling(script: Script, options: Options = {}) {
  const { heartbeatMs = NO_HEARTBEAT, onListenerError, ...settings } = options;
  const coordinator = new WriteCoordinator<NamedEntry, string>({
    id: 'bars-1',
    capacity: 100,
    workers: 1,
    batchSize: 1,
    flushIntervalMs: 0,
    sink: new ScriptedSink(script),
    ...settings,
  });
  const bus = new FeedbackBus(onListenerError);
  const events: FeedbackEvent[] = [];
  bus.subscribe((event) => events.push(event));
  const signaller = new LevelSignaller(coordinator, bus, { heartbeatMs });
  coordinator.start();
  signaller.start();
  endings.push(() => {
    signaller.stop();
    return coordinator.stop({ deadlineMs: 0 });
  });
  const heard = () => events.map(({ level, reason }) => `${level} ${reason}`);
  return { coordinator, bus, signaller, events, heard };
}

/** A sink that writes only as many batches as it is told to. */
function gate() {
  let permits = 0;
  const waiting: (() => void)[] = [];
  return {
    script: () => {
      if (permits > 0) permits--;
      else return new Promise<void>((resolve) => waiting.push(resolve));
      return undefined;
    },
    open: (writes: number) => {
      for (let i = 0; i < writes; i++) {
        const next = waiting.shift();
        if (next) next();
        else permits++;
      }
    },
  };
}

function fill(coordinator: WriteCoordinator<NamedEntry, string>, rows: number): void {
  for (let id = 0; id < rows; id++) coordinator.submit(entry(id)).catch(() => undefined);
}

describe('a queue that fills and drains', () => {
  it('is signalled as soft, hard and ok, each once and with its numbers, then silence', async () => {
    const sink = gate();
    const { coordinator, events, heard } = signalling(sink.script);
    fill(coordinator, 95);
    await settle();
    expect(heard()).toEqual(['soft soft_watermark', 'hard high_watermark']);
    sink.open(95);
    await until(() => coordinator.snapshot().queueSize === 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(heard()).toEqual(['soft soft_watermark', 'hard high_watermark', 'ok queue_recovered']);
    expect(events.map(({ queue_size }) => queue_size)).toEqual([51, 80, 50]);
    for (const event of events) {
      expect(event).toMatchObject({ coordinator_id: 'bars-1', capacity: 100, source: 'store' });
      expect(coreErrors(JSON.parse(JSON.stringify(event)))).toEqual([]);
    }
  });

  it('does not flap when it oscillates around its high watermark', async () => {
    const sink = gate();
    const { coordinator, heard } = signalling(sink.script);
    fill(coordinator, 85);
    for (let round = 1; round <= 20; round++) {
      sink.open(10);
      await until(() => coordinator.snapshot().queueSize === 75);
      fill(coordinator, 10);
    }
    await settle();
    expect(heard()).toEqual(['soft soft_watermark', 'hard high_watermark']);
  });
});

describe('the heartbeat', () => {
  it.each([[undefined, 5_000] as const, [700, 700] as const])(
    'comes once in the time that is set (%s), and not before',
    (heartbeatMs, expectedMs) => {
      jest.useFakeTimers();
      endings.push(() => jest.useRealTimers());
      const reasons: unknown[] = [];
      const nothing = { [Symbol.dispose]: () => undefined };
      const signaller = new LevelSignaller(
        {
          snapshot: () => ({
            ...{ coordinatorId: 'bars-1', queueSize: 90, capacity: 100 },
            ...{ level: 'hard', circuitState: 'closed' },
          }),
          onLevelChange: () => nothing,
          onCircuitChange: () => nothing,
        },
        { publish: (event) => Promise.resolve(void reasons.push((event as FeedbackEvent).reason)) },
        { heartbeatMs },
      );
      endings.push(() => signaller.stop());
      signaller.start();
      expect(reasons).toEqual(['heartbeat']);
      jest.advanceTimersByTime(expectedMs - 1);
      expect(reasons).toHaveLength(1);
      jest.advanceTimersByTime(1);
      expect(reasons).toHaveLength(2);
      jest.advanceTimersByTime(3 * expectedMs);
      expect(reasons).toHaveLength(5);
    },
  );

  it('repeats a level that is not ok with fresh numbers, and ok once, then falls silent', async () => {
    const sink = gate();
    const { coordinator, events, heard } = signalling(sink.script, { heartbeatMs: 40 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(heard()).toEqual([]);
    fill(coordinator, 90);
    await settle();
    fill(coordinator, 5);
    await until(() => events.length >= 5 && events.at(-1)?.queue_size === 95);
    expect(heard().slice(0, 5)).toEqual([
      'soft soft_watermark',
      'hard high_watermark',
      'hard heartbeat',
      'hard heartbeat',
      'hard heartbeat',
    ]);
    sink.open(95);
    await until(() => heard().at(-1) === 'ok heartbeat');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(heard().filter((line) => line.startsWith('ok'))).toEqual(['ok queue_recovered', 'ok heartbeat']);
    expect(heard().slice(-2)).toEqual(['ok queue_recovered', 'ok heartbeat']);
    expect(events.at(-1)?.queue_size).toBe(0);
  });
});

describe('the circuit', () => {
  const breaker = { failureThreshold: 1, halfOpenAfterMs: 60 };
  const retry = { initialBackoffMs: 1, maxBackoffMs: 2 };

  it('is hard from opening to closing, probes that fail included, and closes with the level of the queue', async () => {
    let away = true;
    const { coordinator, events, heard } = signalling(
      () => {
        if (away) throw failure('ECONNREFUSED');
      },
      { breaker, retry, heartbeatMs: 50 },
    );
    fill(coordinator, 1);
    await until(() => events.length >= 4);
    expect(heard().slice(0, 4)).toEqual([
      'hard circuit_open',
      'hard heartbeat',
      'hard heartbeat',
      'hard heartbeat',
    ]);
    away = false;
    await until(() => heard().at(-1) === 'ok heartbeat');
    expect(heard().filter((line) => !line.endsWith('heartbeat'))).toEqual([
      'hard circuit_open',
      'ok circuit_closed',
    ]);
    expect(heard().slice(-2)).toEqual(['ok circuit_closed', 'ok heartbeat']);
  });

  it('hides crossings of the queue while it is open', async () => {
    let finishSlowWrite: () => void = () => undefined;
    const slowWrite = new Promise<void>((resolve) => (finishSlowWrite = resolve));
    let away = true;
    const { coordinator, heard } = signalling(
      (entries) => {
        if (entries[0]?.id === 0) return slowWrite;
        if (away) throw failure('ECONNREFUSED');
        return undefined;
      },
      { breaker: { ...breaker, halfOpenAfterMs: 150 }, retry, workers: 2 },
    );
    coordinator.submit(entry(0, 30)).catch(() => undefined);
    for (let id = 1; id <= 30; id++) coordinator.submit(entry(id)).catch(() => undefined);
    await until(() => heard().includes('hard circuit_open'));
    finishSlowWrite();
    await until(() => coordinator.snapshot().level === 'ok');
    await settle();
    expect(coordinator.snapshot().circuitState).not.toBe('closed');
    expect(heard()).toEqual(['soft soft_watermark', 'hard circuit_open']);
    away = false;
    await until(() => heard().length === 3);
    expect(heard().at(-1)).toBe('ok circuit_closed');
  });

  it('tells, when it closes, the level that the queue has then', async () => {
    const sink = gate();
    let away = true;
    const { coordinator, heard } = signalling(
      () => {
        if (!away) return sink.script();
        throw failure('ECONNREFUSED');
      },
      { breaker, retry },
    );
    fill(coordinator, 60);
    await until(() => heard().includes('hard circuit_open'));
    away = false;
    sink.open(1);
    await until(() => heard().length === 3);
    expect(heard()).toEqual(['soft soft_watermark', 'hard circuit_open', 'soft circuit_closed']);
    sink.open(59);
    await until(() => heard().at(-1) === 'ok queue_recovered');
  });
});

describe('start and stop', () => {
  it('may be called twice, and nothing is signalled after stop', async () => {
    const { coordinator, signaller, heard } = signalling(gate().script, { heartbeatMs: 20 });
    signaller.start();
    fill(coordinator, 60);
    await until(() => heard().length >= 2);
    expect(heard().slice(0, 2)).toEqual(['soft soft_watermark', 'soft heartbeat']);
    signaller.stop();
    signaller.stop();
    await settle();
    const before = heard().length;
    fill(coordinator, 35);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(heard()).toHaveLength(before);
    signaller.start();
    await until(() => heard().at(-1) === 'hard heartbeat');
  });

  it('survives a publisher that throws or rejects', async () => {
    const errors: unknown[] = [];
    const { coordinator } = signalling(gate().script);
    const publish = () => {
      throw new Error('thrown');
    };
    const broken = new LevelSignaller(
      coordinator,
      { publish },
      { onError: (error) => errors.push(error), heartbeatMs: 10 },
    );
    broken.start();
    endings.push(() => broken.stop());
    fill(coordinator, 60);
    await until(() => errors.length >= 3);
  });
});

describe('submitting', () => {
  it('is not slowed by subscribers that hang for 10 s, throw or reject, and the others get every event', async () => {
    const alone = await submitThousand([]);
    const hangs = () => new Promise((resolve) => setTimeout(resolve, 10_000).unref());
    const throws = () => {
      throw new Error('thrown');
    };
    const rejects = () => Promise.reject(new Error('rejected'));
    const beset = await submitThousand([hangs, throws, rejects]);
    expect(beset.heard).toEqual(alone.heard);
    expect(beset.heard.length).toBeGreaterThanOrEqual(3);
    // Machines differ and are shared: a subscriber in the way would cost seconds, not this.
    expect(beset.ms / alone.ms).toBeLessThan(4);
  });
});

/** Best of five: milliseconds for 1,000 submits that drive the queue to hard and back, and the levels heard. */
async function submitThousand(subscribers: (() => unknown)[]): Promise<{ ms: number; heard: string[] }> {
  let ms = Infinity;
  let heard: string[] = [];
  for (let run = 0; run < 5; run++) {
    const { coordinator, bus, events } = signalling(() => undefined, {
      capacity: 1000,
      batchSize: 100,
      onListenerError: () => undefined,
    });
    for (const subscriber of subscribers) bus.subscribe(subscriber);
    const start = performance.now();
    await Promise.all(Array.from({ length: 1000 }, (_, id) => coordinator.submit(entry(id))));
    ms = Math.min(ms, performance.now() - start);
    await settle();
    await settle();
    heard = events.map(({ level, reason }) => `${level} ${reason}`);
  }
  return { ms, heard };
}
