import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { WriteCoordinator } from '../../src/coordinator/index.js';
import { entry, type NamedEntry } from './entries.js';
import { failure, ScriptedSink } from './scripted.sink.js';

const CODES = ['ECONNRESET', '57P01', '40001', '40P01', '22003', '23514', 'bug'] as const;

describe('the ledger', () => {
  it('balances at every moment and everybody gets one answer, whatever the sink does', async () => {
    const steps = fc.array(
      fc.record({
        rows: fc.integer({ min: 1, max: 12 }),
        poisoned: fc.boolean(),
        flush: fc.boolean(),
        pause: fc.boolean(),
      }),
      { maxLength: 40 },
    );
    const outcomes = fc.array(
      fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, fc.constantFrom(...CODES)),
      {
        maxLength: 40,
      },
    );
    await fc.assert(
      fc.asyncProperty(
        steps,
        outcomes,
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        async (plan, script, workers, hang) => {
          const poisoned = new Set(plan.flatMap((step, id) => (step.poisoned && id % 5 === 0 ? [id] : [])));
          const sink = new ScriptedSink(async (entries, call) => {
            await new Promise((resolve) => setImmediate(resolve));
            if (hang && call === 5) await new Promise(() => undefined);
            const outcome = script[call];
            if (outcome) throw outcome === 'bug' ? new TypeError('bug') : failure(outcome);
            if (entries.some(({ id }) => poisoned.has(id))) throw failure('22003');
          });
          const check = () => {
            const { rows, queueSize } = coordinator.snapshot();
            if (rows.accepted !== rows.committed + rows.refused + queueSize || queueSize > 60) {
              throw new Error(`out of balance: ${JSON.stringify({ rows, queueSize })}`);
            }
          };
          const bugs: unknown[] = [];
          const coordinator = new WriteCoordinator<NamedEntry, string>({
            id: 'ledger',
            capacity: 60,
            workers,
            batchSize: 20,
            flushIntervalMs: 1,
            retry: { initialBackoffMs: 0, maxBackoffMs: 1, maxAttempts: 3 },
            breaker: { failureThreshold: 3, halfOpenAfterMs: 1 },
            sink,
            observer: {
              onAccepted: check,
              onRefused: check,
              onBatchWritten: check,
              onWriteError: check,
              onWorkerBug: (error) => bugs.push(error),
            },
          });
          coordinator.start();
          const committed: number[] = [];
          const answers: Promise<unknown>[] = [];
          for (const [id, { rows, flush, pause }] of plan.entries()) {
            answers.push(
              coordinator.submit(entry(id, rows), { flush }).then(
                (result) => {
                  expect(result).toBe(`result ${id}`);
                  committed.push(id);
                },
                (error: unknown) => error,
              ),
            );
            check();
            if (pause) await new Promise((resolve) => setTimeout(resolve, 1));
          }
          await coordinator.stop({ deadlineMs: hang ? 30 : 5000 });
          check();
          await Promise.all(answers);
          expect(bugs).toEqual([]);
          const written = sink.batches.flat();
          expect(new Set(written).size).toBe(written.length);
          if (!hang) expect(committed.sort((a, b) => a - b)).toEqual(written.sort((a, b) => a - b));
          expect(coordinator.snapshot()).toMatchObject({ queueSize: 0, level: 'ok' });
        },
      ),
      { numRuns: 100 },
    );
  });
});
