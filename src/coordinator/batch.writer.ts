import { setTimeout as sleep } from 'node:timers/promises';
import { CircuitOpenError, type CircuitBreaker } from './circuit.breaker.js';
import { WriteRefusedError } from './coordinator.errors.js';
import { lookUpFailure, type FailureClass } from './failure.table.js';
import type { RetryPolicy } from './retry.policy.js';
import type { Entry, EntryParts, Sink } from './sink.js';
import type { WriteObserver } from './write.observer.js';
import type { Part } from './write.ticket.js';

/** Told of each part's outcome, once. */
interface Settlement<T extends Entry, R> {
  /** The sink committed the parts; results are in the same order. */
  committed(parts: readonly Part<T, R>[], results: readonly R[]): void;
  /** The sink refused this part alone. Resolves when it is taken care of. */
  refused(part: Part<T, R>, error: WriteRefusedError): Promise<void>;
}

/** What a BatchWriter works with. */
export interface BatchWriterOptions<T extends Entry, R> {
  readonly sink: Sink<T, R>;
  /** Undefined: entries are not taken apart. */
  readonly parts: EntryParts<T, R> | undefined;
  readonly breaker: CircuitBreaker;
  readonly retry: RetryPolicy;
  readonly observer: Required<WriteObserver>;
  readonly settlement: Settlement<T, R>;
  /** Gives up: nothing is written or settled after it. */
  readonly signal: AbortSignal;
}

/** Writes a batch through breaker and retries, and finds the rows that cannot be written by halving it. */
export class BatchWriter<T extends Entry, R> {
  constructor(private readonly options: BatchWriterOptions<T, R>) {}

  /** Settles every part, in order within what is written together. Resolves early, unsettled, on the signal. */
  async write(workerId: number, parts: readonly Part<T, R>[]): Promise<void> {
    if (this.givenUp()) return;
    let results: readonly R[];
    try {
      results = await this.commit(workerId, parts);
    } catch (error) {
      if (this.givenUp()) return;
      await this.isolate(workerId, parts, error);
      return;
    }
    this.options.settlement.committed(parts, results);
  }

  private givenUp(): boolean {
    return this.options.signal.aborted;
  }

  /** One bad row fails its whole batch: the halves are tried apart until it stands alone. */
  private async isolate(workerId: number, parts: readonly Part<T, R>[], error: unknown): Promise<void> {
    const [only] = parts;
    const halves = only && parts.length === 1 ? this.halvesOf(only) : cutInTwo(parts);
    if (only && !halves) {
      const { name } = lookUpFailure(error);
      await this.options.settlement.refused(only, new WriteRefusedError(only.entry.rows, name, error));
      return;
    }
    for (const half of halves ?? []) await this.write(workerId, half);
  }

  private halvesOf({ ticket, entry, firstRow }: Part<T, R>): Part<T, R>[][] | undefined {
    if (entry.rows < 2 || !this.options.parts || !ticket.deadLetters) return undefined;
    const middle = entry.rows >> 1;
    const [before, after] = this.options.parts.split(entry, middle);
    return [[{ ticket, entry: before, firstRow }], [{ ticket, entry: after, firstRow: firstRow + middle }]];
  }

  /** Resolves after the commit; rejects when the same batch would fail again, or on the signal. */
  private async commit(workerId: number, parts: readonly Part<T, R>[]): Promise<readonly R[]> {
    const { breaker, retry, observer, signal } = this.options;
    const failures: Record<FailureClass, number> = { unavailable: 0, transient: 0, permanent: 0 };
    for (;;) {
      await breaker.whenAllowed(signal);
      const call = { made: false };
      try {
        return await breaker.execute(() => {
          call.made = true;
          return this.writeOnce(workerId, parts);
        });
      } catch (error) {
        // Another worker got the probe. A sink with a breaker of its own throws the same, but was called.
        if (!call.made && error instanceof CircuitOpenError) continue;
        const failureClass = lookUpFailure(error).class;
        const attempt = ++failures[failureClass];
        observer.onWriteError(workerId, failureClass, error, attempt);
        if (failureClass === 'permanent') throw error;
        if (failureClass === 'transient' && attempt >= retry.maxAttempts) throw error;
        await sleep(retry.delayMs(attempt), undefined, { signal });
      }
    }
  }

  private async writeOnce(workerId: number, parts: readonly Part<T, R>[]): Promise<readonly R[]> {
    const startedAt = performance.now();
    const results = await this.options.sink.write(parts.map(({ entry }) => entry));
    if (results.length !== parts.length) {
      throw new TypeError(`the sink gave ${results.length} results for ${parts.length} entries`);
    }
    const rows = parts.reduce((sum, { entry }) => sum + entry.rows, 0);
    this.options.observer.onBatchWritten(
      workerId,
      rows,
      parts.length,
      (performance.now() - startedAt) / 1000,
    );
    return results;
  }
}

/** By rows, not by entries: a heavy one among many light ones must not cost more tries. */
function cutInTwo<T extends Entry, R>(parts: readonly Part<T, R>[]): Part<T, R>[][] {
  const half = parts.reduce((sum, { entry }) => sum + entry.rows, 0) / 2;
  let rows = 0;
  const reached = parts.findIndex(({ entry }) => (rows += entry.rows) >= half) + 1;
  const cut = Math.min(reached, parts.length - 1);
  return [parts.slice(0, cut), parts.slice(cut)];
}
