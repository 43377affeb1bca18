import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BoundedQueue, QueueClosedError, QueueFullError } from '../../src/coordinator/index.js';
import { entry, type NamedEntry } from './entries.js';

type Overflow = 'error' | 'block' | 'drop_oldest';

/** What the queue should do, said as simply as possible: two arrays, no timers, no promises. */
class Model {
  nextId = 0;
  waiting: NamedEntry[] = [];
  blocked: NamedEntry[] = [];
  takers: { maxRows: number; hold: boolean; id: number }[] = [];
  held = 0;
  closed = false;
  accepted: number[] = [];
  dropped: number[] = [];
  refused: number[] = [];
  /** What each take should have been given. */
  given = new Map<number, number[]>();

  constructor(
    readonly capacity: number,
    readonly overflow: Overflow,
  ) {}

  get size(): number {
    return this.held + this.waiting.reduce((sum, { rows }) => sum + rows, 0);
  }

  add(item: NamedEntry, mayWait: boolean): void {
    const room = () => this.blocked.length === 0 && this.size + item.rows <= this.capacity;
    if (this.closed) this.refused.push(item.id);
    else if (room()) this.accept(item);
    else if (item.rows > this.capacity) this.refused.push(item.id);
    else if (this.overflow === 'block' && mayWait) this.blocked.push(item);
    else if (this.overflow === 'drop_oldest' && this.held + item.rows <= this.capacity) {
      while (!room()) this.dropped.push(...this.waiting.splice(0, 1).map(({ id }) => id));
      this.accept(item);
    } else this.refused.push(item.id);
    this.run();
  }

  accept(item: NamedEntry): void {
    this.accepted.push(item.id);
    this.waiting.push(item);
  }

  run(): void {
    for (;;) {
      for (
        let next = this.blocked[0];
        next && this.size + next.rows <= this.capacity;
        next = this.blocked[0]
      ) {
        this.accept(next);
        this.blocked.shift();
      }
      const taker = this.takers[0];
      if (!taker || (this.waiting.length === 0 && !this.closed)) return;
      this.takers.shift();
      const batch: NamedEntry[] = [];
      let rows = 0;
      for (let next = this.waiting[0]; next; next = this.waiting[0]) {
        if (batch.length > 0 && rows + next.rows > taker.maxRows) break;
        rows += next.rows;
        batch.push(next);
        this.waiting.shift();
      }
      if (taker.hold) this.held += rows;
      this.given.set(
        taker.id,
        batch.map(({ id }) => id),
      );
    }
  }
}

/** The queue under test, with everything that came out of it. */
class Real {
  given = new Map<number, number[]>();
  accepted = new Set<number>();
  refused = new Set<number>();
  dropped: number[] = [];
  readonly queue: BoundedQueue<NamedEntry>;

  constructor(capacity: number, overflow: Overflow) {
    this.queue = new BoundedQueue({ capacity, overflow, onDrop: ({ id }) => this.dropped.push(id) });
  }
}

type Command = fc.AsyncCommand<Model, Real>;

/** Runs one step on both, then compares all that can be seen of them. */
function command(name: string, step: (model: Model, real: Real) => void): Command {
  return {
    check: () => true,
    toString: () => name,
    run: async (model, real) => {
      step(model, real);
      expect(real.queue.size).toBe(model.size);
      expect(real.queue.size).toBeLessThanOrEqual(model.capacity);
      expect(real.queue.length).toBe(model.waiting.length);
      await new Promise((resolve) => setImmediate(resolve));
      expect([...real.given].sort(([a], [b]) => a - b)).toEqual([...model.given].sort(([a], [b]) => a - b));
      expect([...real.accepted].sort((a, b) => a - b)).toEqual([...model.accepted].sort((a, b) => a - b));
      expect([...real.refused].sort((a, b) => a - b)).toEqual([...model.refused].sort((a, b) => a - b));
      expect(real.dropped).toEqual(model.dropped);
    },
  };
}

function refusal(real: Real, id: number): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof QueueFullError || error instanceof QueueClosedError)) throw error;
    real.refused.add(id);
  };
}

const rowsOf = fc.integer({ min: 1, max: 14 });
const put = fc.tuple(rowsOf, fc.boolean()).map(([rows, flush]) =>
  command(`put ${rows}`, (model, real) => {
    const item = entry(model.nextId++, rows);
    model.add(item, true);
    real.queue.put(item, { flush }).then(() => real.accepted.add(item.id), refusal(real, item.id));
  }),
);
const offer = rowsOf.map((rows) =>
  command(`offer ${rows}`, (model, real) => {
    const item = entry(model.nextId++, rows);
    model.add(item, false);
    try {
      real.queue.offer(item);
      real.accepted.add(item.id);
    } catch (error) {
      refusal(real, item.id)(error);
    }
  }),
);
const take = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.boolean()).map(([maxRows, hold]) =>
  command(`take ${maxRows}${hold ? ' hold' : ''}`, (model, real) => {
    const id = model.nextId++;
    model.takers.push({ maxRows, hold, id });
    model.run();
    void real.queue.take(maxRows, { hold }).then((batch) =>
      real.given.set(
        id,
        batch.map((item) => item.id),
      ),
    );
  }),
);
const release = fc.integer({ min: 1, max: 20 }).map((most) =>
  command(`release ${most}`, (model, real) => {
    const rows = Math.min(most, model.held);
    model.held -= rows;
    model.run();
    real.queue.release(rows);
  }),
);
const close = fc.constant(
  command('close', (model, real) => {
    model.closed = true;
    model.refused.push(...model.blocked.splice(0).map(({ id }) => id));
    model.run();
    real.queue.close();
  }),
);

describe('BoundedQueue against a model', () => {
  it.each(['error', 'block', 'drop_oldest'] as const)(
    '%s: first in first out, nothing lost or twice, sizes exact, never over capacity',
    async (overflow) => {
      const commands = fc.commands<Model, Real, false>(
        [
          put,
          put,
          offer,
          take,
          take,
          release,
          fc.oneof({ weight: 9, arbitrary: put }, { weight: 1, arbitrary: close }),
        ],
        { maxCommands: 60 },
      );
      await fc.assert(
        fc.asyncProperty(commands, async (steps) => {
          const model = new Model(12, overflow);
          const real = new Real(12, overflow);
          await fc.asyncModelRun(() => ({ model, real }), steps);
          // Every entry had exactly one fate, and what came out came in the order in which it went in.
          const out = [...real.given.values()].flat();
          const left = real.queue.drain().map(({ id }) => id);
          const fates = [...out, ...real.dropped, ...left];
          expect(new Set(fates).size).toBe(fates.length);
          expect([...out, ...left]).toEqual(
            [...out, ...left].sort((a, b) => model.accepted.indexOf(a) - model.accepted.indexOf(b)),
          );
        }),
        { numRuns: 300 },
      );
    },
  );
});
