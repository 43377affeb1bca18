import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchCutting } from './batch.cutting.js';
import type { BatchIsolator } from './batch.isolator.js';
import { WriteRefusedError } from './coordinator.errors.js';
import { noTries, type GuardedSink, type SinkFailure } from './guarded.sink.js';
import type { RetryPolicy } from './retry.policy.js';
import type { Entry } from './sink.js';
import type { Part, Settlement } from './write.ticket.js';

/** What a BatchWriter works with. */
export interface BatchWriterOptions<T extends Entry, R> {
  readonly sink: GuardedSink<T, R>;
  readonly cutting: BatchCutting<T, R>;
  readonly retry: RetryPolicy;
  readonly isolator: BatchIsolator<T, R>;
  readonly settlement: Settlement<T, R>;
  /** Gives up: nothing is written or settled after it. */
  readonly signal: AbortSignal;
}

/** Writes the batches of the workers, and tries again while it is the store that takes nothing. */
export class BatchWriter<T extends Entry, R> {
  constructor(private readonly options: BatchWriterOptions<T, R>) {}

  /**
   * Settles every part or hands it to the isolator. Entries without dead letters are settled here, in order. Resolves
   * early, unsettled, on the signal.
   */
  async write(workerId: number, parts: readonly Part<T, R>[]): Promise<void> {
    const { sink, retry, isolator, settlement, signal } = this.options;
    const tries = noTries();
    for (;;) {
      if (isAborted(signal)) return;
      const outcome = await sink.write(workerId, parts, tries).catch((error: unknown) => {
        if (isAborted(signal)) return undefined;
        throw error;
      });
      if (isAborted(signal) || outcome === undefined) return;
      if (!('verdict' in outcome)) {
        settlement.committed(parts, outcome);
        return;
      }
      if (outcome.verdict === 'again' || outcome.verdict === 'store') {
        const ended = sleep(retry.delayMs(tries[outcome.class]), undefined, { signal });
        await ended.catch(() => undefined);
      } else if (parts.every(({ ticket }) => ticket.safe)) {
        isolator.isolate(parts, outcome);
        return;
      } else {
        await this.settleInOrder(workerId, parts, outcome);
        return;
      }
    }
  }

  /** Whoever submits entries may rely on their order: the halves are tried one after the other, here and now. */
  private async settleInOrder(
    workerId: number,
    parts: readonly Part<T, R>[],
    { name, error }: SinkFailure,
  ): Promise<void> {
    const halves = this.options.cutting.halve(parts);
    const [only] = parts;
    if (only && halves.length === 0)
      await this.options.settlement.refused(only, new WriteRefusedError(only.entry.rows, name, error));
    for (const half of halves) await this.write(workerId, half);
  }
}

/** A function, as the signal changes while others are awaited. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
