import { describe, expect, it } from '@jest/globals';
import {
  BoundedQueue,
  type LevelChange,
  QueueClosedError,
  QueueFullError,
} from '../../src/coordinator/index.js';
import { entry, type NamedEntry, settle, until } from './entries.js';

function queueOf(capacity: number, overflow: 'error' | 'block' | 'drop_oldest' = 'error') {
  return new BoundedQueue<NamedEntry>({ capacity, overflow });
}

const ids = (entries: readonly NamedEntry[]) => entries.map(({ id }) => id);

describe('levels', () => {
  it('signals soft, hard and ok exactly once each while the queue fills and drains', async () => {
    const queue = queueOf(10);
    const seen: LevelChange[] = [];
    queue.onLevelChange((change) => seen.push(change));
    for (let i = 0; i < 10; i++) queue.offer(entry(i));
    while (queue.size > 0) await queue.take(1);
    await settle();
    expect(seen).toEqual([
      { level: 'soft', reason: 'soft_watermark', size: 6, capacity: 10 },
      { level: 'hard', reason: 'high_watermark', size: 8, capacity: 10 },
      { level: 'ok', reason: 'queue_recovered', size: 5, capacity: 10 },
    ]);
  });

  it('does not flap while the size goes up and down around the high watermark', async () => {
    const queue = queueOf(100);
    const seen: string[] = [];
    queue.onLevelChange(({ level }) => seen.push(level));
    for (let i = 0; i < 79; i++) queue.offer(entry(i));
    for (let i = 0; i < 50; i++) {
      queue.offer(entry(i));
      await queue.take(1);
      expect([queue.size, queue.level]).toEqual([79, 'hard']);
    }
    await queue.take(28);
    expect([queue.size, queue.level]).toEqual([51, 'hard']);
    await queue.take(1);
    expect([queue.size, queue.level]).toEqual([50, 'ok']);
    await settle();
    expect(seen).toEqual(['soft', 'hard', 'ok']);
  });

  it('does not flap while the size goes up and down around the low watermark', async () => {
    const queue = queueOf(100);
    const seen: string[] = [];
    queue.onLevelChange(({ level, size }) => seen.push(`${level} ${size}`));
    const swing = async (rows: number) => {
      for (let i = 0; i < rows; i++) queue.offer(entry(i));
      for (let i = 0; i < rows; i++) await queue.take(1);
    };
    for (let i = 0; i < 48; i++) queue.offer(entry(i));
    for (let round = 0; round < 20; round++) await swing(7);
    await settle();
    expect(seen).toEqual(['soft 51', 'ok 50']);
    for (let i = 0; i < 8; i++) queue.offer(entry(i));
    expect([queue.size, queue.level]).toEqual([56, 'soft']);
    await queue.take(11);
    await swing(6);
    await settle();
    expect(seen.slice(2)).toEqual(['soft 56', 'ok 45', 'soft 51', 'ok 50']);
  });

  it('goes from soft to ok with the reason queue_recovered', async () => {
    const queue = queueOf(10);
    const seen: string[] = [];
    queue.onLevelChange(({ reason }) => seen.push(reason));
    queue.offer(entry(1, 5));
    expect(queue.level).toBe('ok');
    queue.offer(entry(2));
    expect(queue.level).toBe('soft');
    await queue.take(1);
    expect(queue.level).toBe('ok');
    await settle();
    expect(seen).toEqual(['soft_watermark', 'queue_recovered']);
  });

  it('goes straight to hard when one entry jumps over both watermarks', async () => {
    const queue = queueOf(10);
    const seen: string[] = [];
    queue.onLevelChange(({ level }) => seen.push(level));
    queue.offer(entry(1, 9));
    await settle();
    expect(seen).toEqual(['hard']);
  });

  it('counts rows that are held by a taker, and recovers when they are released', async () => {
    const queue = queueOf(10);
    queue.offer(entry(1, 9));
    expect(ids(await queue.take(100, { hold: true }))).toEqual([1]);
    expect([queue.size, queue.length, queue.level]).toEqual([9, 0, 'hard']);
    expect(() => queue.offer(entry(2, 2))).toThrow(QueueFullError);
    queue.release(9);
    expect([queue.size, queue.level]).toEqual([0, 'ok']);
    expect(() => queue.release(1)).toThrow(RangeError);
  });

  it.each([0, 2])('signals soft again after it was empty, with a low watermark of %i', async (low) => {
    const queue = new BoundedQueue<NamedEntry>({
      ...{ capacity: 100, highWatermark: 20, lowWatermark: low, overflow: 'error' },
    });
    const seen: string[] = [];
    queue.onLevelChange(({ level, size }) => seen.push(`${level} ${size}`));
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i <= low; i++) queue.offer(entry(i));
      await queue.take(low + 1);
    }
    await settle();
    expect(seen).toEqual([`soft ${low + 1}`, 'ok 0', `soft ${low + 1}`, 'ok 0']);
  });

  it('refuses watermarks that do not fit the capacity', () => {
    const make = (capacity: number, highWatermark?: number, lowWatermark?: number) => () =>
      new BoundedQueue({ capacity, highWatermark, lowWatermark, overflow: 'error' });
    for (const bad of [make(0), make(1.5), make(10, 11), make(10, 5, 5), make(10, 5, -1), make(10, NaN)]) {
      expect(bad).toThrow(RangeError);
    }
    for (const capacity of [1, 2, 3, 500_000]) expect(make(capacity)).not.toThrow();
  });
});

describe('listeners', () => {
  it('that hang, throw or reject neither slow nor break 1,000 offers, nor each other', async () => {
    const errors: unknown[] = [];
    const queue = new BoundedQueue<NamedEntry>({
      capacity: 1000,
      highWatermark: 2,
      lowWatermark: 1,
      overflow: 'error',
      onListenerError: (error) => errors.push(error),
    });
    const thrown = new Error('thrown');
    const rejected = new Error('rejected');
    const seen: string[] = [];
    queue.onLevelChange(() => new Promise(() => undefined));
    queue.onLevelChange(() => {
      throw thrown;
    });
    queue.onLevelChange(() => Promise.reject(rejected));
    queue.onLevelChange(({ level }) => seen.push(level));
    const startedAt = performance.now();
    for (let i = 0; i < 1000; i++) {
      queue.offer(entry(2 * i));
      queue.offer(entry(2 * i + 1));
      expect(seen).toEqual([]);
      void queue.take(2);
    }
    expect(performance.now() - startedAt).toBeLessThan(3000);
    await settle();
    expect(seen).toHaveLength(2000);
    expect(errors.filter((error) => error === thrown)).toHaveLength(2000);
    expect(errors.filter((error) => error === rejected)).toHaveLength(2000);
  });

  it('do not delay a producer that awaits its put', async () => {
    const queue = queueOf(1);
    let heard = false;
    queue.onLevelChange(() => (heard = true));
    await queue.put(entry(1));
    expect(heard).toBe(false);
    await settle();
    expect(heard).toBe(true);
  });

  it('hear nothing more once their subscription is disposed of', async () => {
    const queue = queueOf(1);
    const seen: string[] = [];
    const subscription = queue.onLevelChange(({ level }) => seen.push(level));
    queue.offer(entry(1));
    await settle();
    subscription[Symbol.dispose]();
    await queue.take(1);
    await settle();
    expect(seen).toEqual(['hard']);
  });
});

describe('overflow', () => {
  it('error: refuses with the numbers and keeps what it has', async () => {
    const queue = queueOf(10);
    queue.offer(entry(1, 7));
    expect(() => queue.offer(entry(2, 4))).toThrow(
      expect.objectContaining({ name: 'QueueFullError', size: 7, capacity: 10, rows: 4, retryable: true }),
    );
    await expect(queue.put(entry(2, 4))).rejects.toThrow('no room for 4 rows: the queue holds 7 of 10 rows');
    queue.offer(entry(3, 3));
    expect(ids(await queue.take(100))).toEqual([1, 3]);
  });

  it.each(['error', 'block', 'drop_oldest'] as const)(
    '%s: refuses an entry larger than the whole capacity, even when empty',
    async (overflow) => {
      const queue = queueOf(10, overflow);
      await expect(queue.put(entry(1, 11))).rejects.toMatchObject({
        name: 'QueueFullError',
        retryable: false,
      });
      expect(queue.size).toBe(0);
      queue.offer(entry(2, 10));
      await expect(queue.put(entry(1, 11))).rejects.toMatchObject({ retryable: false });
      expect(ids(await queue.take(1))).toEqual([2]);
    },
  );

  it('refuses an entry without a whole number of rows', () => {
    for (const rows of [0, -1, 1.5, NaN, Infinity])
      expect(() => queueOf(10).offer(entry(1, rows))).toThrow(RangeError);
  });

  it('drop_oldest: hands over exactly the oldest entries that are in the way', async () => {
    const dropped: number[] = [];
    const queue = new BoundedQueue<NamedEntry>({
      capacity: 10,
      overflow: 'drop_oldest',
      onDrop: ({ id }) => dropped.push(id),
    });
    for (let i = 1; i <= 5; i++) queue.offer(entry(i, 2));
    queue.offer(entry(6, 3));
    expect(dropped).toEqual([1, 2]);
    expect(queue.size).toBe(9);
    expect(ids(await queue.take(100))).toEqual([3, 4, 5, 6]);
  });

  it('drop_oldest: drops nothing when held rows keep even an emptied queue from having room', async () => {
    const queue = queueOf(10, 'drop_oldest');
    queue.offer(entry(1, 6));
    await queue.take(1, { hold: true });
    queue.offer(entry(2, 4));
    expect(() => queue.offer(entry(3, 5))).toThrow(QueueFullError);
    expect(ids(await queue.take(1))).toEqual([2]);
  });

  it('drop_oldest: survives an onDrop that throws', () => {
    const errors: unknown[] = [];
    const queue = new BoundedQueue<NamedEntry>({
      capacity: 1,
      overflow: 'drop_oldest',
      onDrop: () => {
        throw new Error('no');
      },
      onListenerError: (error) => errors.push(error),
    });
    queue.offer(entry(1));
    queue.offer(entry(2));
    expect([queue.length, errors.length]).toEqual([1, 1]);
  });

  it('block: lets producers in first come first served, and nobody overtakes', async () => {
    const queue = queueOf(10, 'block');
    const order: number[] = [];
    await queue.put(entry(1, 8));
    const heavy = queue.put(entry(2, 9)).then(() => order.push(2));
    const light = queue.put(entry(3, 1)).then(() => order.push(3));
    expect(() => queue.offer(entry(4, 1))).toThrow(QueueFullError);
    await settle();
    expect(order).toEqual([]);
    expect(ids(await queue.take(1))).toEqual([1]);
    await Promise.all([heavy, light]);
    expect(order).toEqual([2, 3]);
    expect(ids(await queue.take(100))).toEqual([2, 3]);
  });

  it('block: an aborted put was not taken, and lets those behind it through', async () => {
    const queue = queueOf(10, 'block');
    await queue.put(entry(1, 8));
    const abort = new AbortController();
    const heavy = queue.put(entry(2, 9), { signal: abort.signal });
    const light = queue.put(entry(3, 2));
    const reason = new Error('gave up');
    abort.abort(reason);
    await expect(heavy).rejects.toBe(reason);
    await light;
    await expect(queue.put(entry(4), { signal: abort.signal })).rejects.toBe(reason);
    expect(ids(await queue.take(100))).toEqual([1, 3]);
  });

  it('block: close refuses those who still wait for room, and keeps what was accepted', async () => {
    const queue = queueOf(1, 'block');
    await queue.put(entry(1));
    const blocked = queue.put(entry(2));
    queue.close();
    await expect(blocked).rejects.toThrow(QueueClosedError);
    await expect(queue.put(entry(3))).rejects.toThrow(QueueClosedError);
    expect(ids(await queue.take(1))).toEqual([1]);
    expect(await queue.take(1)).toEqual([]);
  });
});

describe('take', () => {
  it('of more rows to wait for is passed over until they wait, or the oldest has waited long enough', async () => {
    const queue = new BoundedQueue<NamedEntry>({ capacity: 100, overflow: 'error' });
    const taken: string[] = [];
    const take = (name: string, readyRows: number, lingerMs: number) =>
      queue.take(2, { readyRows, lingerMs }).then((entries) => taken.push(`${name} ${entries.length}`));
    void take('more', 4, 60_000);
    void take('any', 1, 0);
    queue.offer(entry(1));
    await settle();
    expect(taken).toEqual(['any 1']);
    for (const id of [2, 3, 4]) queue.offer(entry(id));
    await settle();
    expect(taken).toEqual(['any 1']);
    queue.offer(entry(5));
    await settle();
    expect(taken).toEqual(['any 1', 'more 2']);
    void take('late', 100, 20);
    await settle();
    expect(taken).toHaveLength(2);
    await until(() => taken.length === 3);
    expect(taken[2]).toBe('late 2');
  });

  it('of more rows to wait for is ready when as many as it takes wait and nothing has come for long enough', async () => {
    const queue = queueOf(100);
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const options = { readyRows: 50, lingerMs: 60_000, quietMs: 150 };
    const batch = queue.take(3, options);
    for (const id of [1, 2]) queue.offer(entry(id));
    await wait(250);
    expect(queue.length).toBe(2);
    const offeredAt = performance.now();
    queue.offer(entry(3));
    await wait(80);
    queue.offer(entry(4));
    expect(ids(await batch)).toEqual([1, 2, 3]);
    expect(performance.now() - offeredAt).toBeGreaterThanOrEqual(80 + 149);
    // Quiet since long: who comes now need not wait, if there is enough.
    for (const id of [5, 6]) queue.offer(entry(id));
    await wait(250);
    const late = queue.take(3, options);
    expect(queue.length).toBe(0);
    expect(ids(await late)).toEqual([4, 5, 6]);
  });

  const LONG = { lingerMs: 60_000 };

  it('resolves as soon as enough rows wait, and never splits an entry', async () => {
    const queue = queueOf(100);
    const batch = queue.take(10, LONG);
    queue.offer(entry(1, 6));
    queue.offer(entry(2, 6));
    expect(queue.length).toBe(1);
    expect(ids(await batch)).toEqual([1]);
    queue.offer(entry(3, 50));
    expect(ids(await queue.take(10, LONG))).toEqual([2]);
    expect(ids(await queue.take(10, LONG))).toEqual([3]);
  });

  it('waits for company as long as told, counted from the arrival of the oldest entry', async () => {
    const queue = queueOf(100);
    queue.offer(entry(1));
    const arrivedAt = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 150));
    const batch = queue.take(10, { lingerMs: 200 });
    queue.offer(entry(2));
    expect(ids(await batch)).toEqual([1, 2]);
    const waited = performance.now() - arrivedAt;
    expect(waited).toBeGreaterThanOrEqual(199);
    expect(waited).toBeLessThan(340);
    queue.offer(entry(3));
    await new Promise((resolve) => setTimeout(resolve, 30));
    const late = queue.take(10, { lingerMs: 20 });
    expect(queue.length).toBe(0);
    expect(ids(await late)).toEqual([3]);
  });

  it('does not wait for company when somebody waits for an entry', async () => {
    const queue = queueOf(100);
    const batch = queue.take(10, LONG);
    queue.offer(entry(1));
    expect(queue.length).toBe(1);
    queue.offer(entry(2), { flush: true });
    expect(queue.length).toBe(0);
    expect(ids(await batch)).toEqual([1, 2]);
    queue.offer(entry(3));
    const patient = queue.take(10, { lingerMs: 30 });
    expect(queue.length).toBe(1);
    expect(ids(await patient)).toEqual([3]);
  });

  it('goes on not waiting until the awaited entry is taken', async () => {
    const queue = queueOf(100);
    for (let i = 1; i <= 3; i++) queue.offer(entry(i, 6), { flush: i === 2 });
    expect(ids(await queue.take(6, LONG))).toEqual([1]);
    expect(ids(await queue.take(7, LONG))).toEqual([2]);
    const patient = queue.take(7, LONG);
    await settle();
    expect(queue.length).toBe(1);
    queue.close();
    expect(ids(await patient)).toEqual([3]);
  });

  it('serves takers in the order in which they came, inside the call that fills the queue', async () => {
    const queue = queueOf(100);
    const takes = [1, 2, 3].map(() => queue.take(1));
    for (let i = 1; i <= 3; i++) {
      queue.offer(entry(i));
      expect(queue.length).toBe(0);
    }
    expect((await Promise.all(takes)).map(ids)).toEqual([[1], [2], [3]]);
  });

  it('an aborted take takes nothing, and an abort after the hand-over loses nothing', async () => {
    const queue = queueOf(100);
    const first = new AbortController();
    const second = new AbortController();
    const aborted = queue.take(1, { signal: first.signal });
    const served = queue.take(1, { signal: second.signal });
    const reason = new Error('gave up');
    first.abort(reason);
    queue.offer(entry(1));
    second.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect(ids(await served)).toEqual([1]);
    await expect(queue.take(1, { signal: first.signal })).rejects.toBe(reason);
  });

  it('ends all waiting takers with [] on close, and gives out what is left first', async () => {
    const queue = queueOf(100);
    const takes = [queue.take(10, LONG), queue.take(10, LONG)];
    queue.offer(entry(1));
    queue.close();
    expect((await Promise.all(takes)).map(ids)).toEqual([[1], []]);
    expect(() => queue.offer(entry(2))).toThrow(QueueClosedError);
  });

  it('stays fast with 200,000 waiting entries', async () => {
    const queue = queueOf(200_000);
    const startedAt = performance.now();
    for (let i = 0; i < 200_000; i++) queue.offer(entry(i));
    let next = 0;
    while (queue.length > 0)
      for (const { id } of await queue.take(10)) if (id !== next++) throw new Error('order');
    expect(next).toBe(200_000);
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});
