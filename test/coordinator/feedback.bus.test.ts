import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { FeedbackBus, parseFeedbackEvent } from '../../src/coordinator/index.js';
import { settle, until } from './entries.js';
import { event } from './feedback.events.js';

const never = () => new Promise<void>(() => undefined);

describe('FeedbackBus', () => {
  it('has called every subscriber with the event when publish resolves', async () => {
    const bus = new FeedbackBus();
    const seen: number[] = [];
    bus.subscribe(({ queue_size }) => seen.push(queue_size));
    bus.subscribe(({ queue_size }) => seen.push(-queue_size));
    await bus.publish(event(1));
    expect(seen).toEqual([1, -1]);
  });

  it('calls nobody inside the call of publish', async () => {
    const bus = new FeedbackBus();
    let called = false;
    bus.subscribe(() => (called = true));
    const published = bus.publish(event(1));
    expect(called).toBe(false);
    await Promise.resolve();
    expect(called).toBe(false);
    await published;
    expect(called).toBe(true);
  });

  it('gives the others every event in order while one hangs, one throws and one rejects', async () => {
    const errors: unknown[] = [];
    const bus = new FeedbackBus((error) => errors.push(error));
    const seen: number[] = [];
    const seenLate: number[] = [];
    let hanging = 0;
    bus.subscribe(() => {
      hanging++;
      return never();
    });
    bus.subscribe(() => {
      throw new Error('thrown');
    });
    bus.subscribe(() => Promise.reject(new Error('rejected')));
    bus.subscribe(({ queue_size }) => seen.push(queue_size));
    bus.subscribe(async ({ queue_size }) => {
      await settle();
      seenLate.push(queue_size);
    });
    const sizes = Array.from({ length: 100 }, (_, i) => i);
    await Promise.all(sizes.map((size) => bus.publish(event(size))));
    expect(seen).toEqual(sizes);
    await until(() => seenLate.length === sizes.length);
    expect(seenLate).toEqual(sizes);
    expect(hanging).toBe(1);
    expect(errors).toHaveLength(200);
  });

  it('lets a bounded number of events wait for one that hangs, the newest of each coordinator among them', async () => {
    const bus = new FeedbackBus();
    const seen: string[] = [];
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    bus.subscribe(({ coordinator_id, queue_size }) => {
      seen.push(`${coordinator_id} ${queue_size}`);
      return released;
    });
    await bus.publish(event(0));
    const published: Promise<void>[] = [];
    for (let size = 1; size <= 5000; size++) {
      published.push(bus.publish(event(size, { coordinator_id: `bars-${size % 3}` })));
    }
    await Promise.all(published);
    release();
    await until(() => seen.includes('bars-2 5000'));
    expect(seen).toEqual(expect.arrayContaining(['bars-0 4998', 'bars-1 4999', 'bars-2 5000']));
    expect(seen.length).toBeLessThanOrEqual(257);
  });

  it('leaves a subscriber alone once it has unsubscribed, even with events waiting for it', async () => {
    const bus = new FeedbackBus();
    const seen: number[] = [];
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const subscription = bus.subscribe(({ queue_size }) => {
      seen.push(queue_size);
      return released;
    });
    await bus.publish(event(1));
    await bus.publish(event(2));
    subscription[Symbol.dispose]();
    release();
    await bus.publish(event(3));
    await settle();
    expect(seen).toEqual([1]);
  });

  it('remembers the newest event of each coordinator, and of no more than 1,024', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ id: fc.integer({ min: 0, max: 1500 }), size: fc.nat(1000) }), {
          maxLength: 3000,
          size: 'max',
        }),
        async (published) => {
          const bus = new FeedbackBus();
          const expected = new Map<string, number>();
          const publishing = published.map(({ id, size }) => {
            expected.delete(`bars-${id}`);
            expected.set(`bars-${id}`, size);
            return bus.publish(event(size, { coordinator_id: `bars-${id}` }));
          });
          await Promise.all(publishing);
          const kept = bus.latest.map(({ coordinator_id, queue_size }) => [coordinator_id, queue_size]);
          expect(kept).toEqual([...expected].slice(-1024));
        },
      ),
      { numRuns: 3 },
    );
  });

  it('remembers of a coordinator the event with the latest ts, and of equal ones the last that came', async () => {
    const bus = new FeedbackBus();
    const tell = (size: number, ts: number) =>
      bus.publish(
        parseFeedbackEvent({ coordinator_id: 'c', queue_size: size, capacity: 10, level: 'ok', ts }),
      );
    const sizes = () => bus.latest.map(({ queue_size }) => queue_size);
    for (const [size, ts] of [
      [1, 100],
      [2, 99],
      [3, 100],
      [4, 98],
    ] as const)
      await tell(size, ts);
    expect(sizes()).toEqual([3]);
    await tell(5, 101);
    expect(sizes()).toEqual([5]);
    // Its clock, or that of this machine, was set back.
    await tell(6, Date.now() / 1000 + 3_600);
    await tell(7, Date.now() / 1000);
    expect(sizes()).toEqual([7]);
  });
});
