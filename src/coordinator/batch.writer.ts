import { setTimeout as sleep } from 'node:timers/promises';
import { CircuitOpenError, type CircuitBreaker } from './circuit.breaker.js';
import { WriteRefusedError } from './coordinator.errors.js';
import { lookUpFailure, type FailureClass } from './failure.table.js';
import type { RetryPolicy } from './retry.policy.js';
import type { Entry, Sink } from './sink.js';
import type { WriteObserver } from './write.observer.js';
import type { WriteTicket } from './write.ticket.js';

/** Told of each ticket's outcome, once. */
interface Settlement<T extends Entry, R> {
  /** The sink committed the tickets; results are in the same order. */
  committed(tickets: readonly WriteTicket<T, R>[], results: readonly R[]): void;
  /** The sink refused this ticket alone. */
  refused(ticket: WriteTicket<T, R>, error: WriteRefusedError): void;
}

/** What a BatchWriter works with. */
export interface BatchWriterOptions<T extends Entry, R> {
  readonly sink: Sink<T, R>;
  readonly breaker: CircuitBreaker;
  readonly retry: RetryPolicy;
  readonly observer: Required<WriteObserver>;
  readonly settlement: Settlement<T, R>;
  /** Gives up: nothing is written or settled after it. */
  readonly signal: AbortSignal;
}

/** Writes a batch through breaker and retries, and finds the entries that cannot be written by halving it. */
export class BatchWriter<T extends Entry, R> {
  constructor(private readonly options: BatchWriterOptions<T, R>) {}

  /** Settles every ticket, in order within what is written together. Resolves early, unsettled, on the signal. */
  async write(workerId: number, tickets: readonly WriteTicket<T, R>[]): Promise<void> {
    if (this.givenUp()) return;
    let results: readonly R[];
    try {
      results = await this.commit(workerId, tickets);
    } catch (error) {
      if (this.givenUp()) return;
      await this.isolate(workerId, tickets, error);
      return;
    }
    this.options.settlement.committed(tickets, results);
  }

  private givenUp(): boolean {
    return this.options.signal.aborted;
  }

  /** One bad entry fails its whole batch: the halves are tried apart until it stands alone. */
  private async isolate(
    workerId: number,
    tickets: readonly WriteTicket<T, R>[],
    error: unknown,
  ): Promise<void> {
    const [only] = tickets;
    if (only && tickets.length === 1) {
      this.options.settlement.refused(
        only,
        new WriteRefusedError(only.rows, lookUpFailure(error).name, error),
      );
      return;
    }
    const middle = tickets.length >> 1;
    await this.write(workerId, tickets.slice(0, middle));
    await this.write(workerId, tickets.slice(middle));
  }

  /** Resolves after the commit; rejects when the same batch would fail again, or on the signal. */
  private async commit(workerId: number, tickets: readonly WriteTicket<T, R>[]): Promise<readonly R[]> {
    const { breaker, retry, observer, signal } = this.options;
    const failures: Record<FailureClass, number> = { unavailable: 0, transient: 0, permanent: 0 };
    for (;;) {
      await breaker.whenAllowed(signal);
      const call = { made: false };
      try {
        return await breaker.execute(() => {
          call.made = true;
          return this.writeOnce(workerId, tickets);
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

  private async writeOnce(workerId: number, tickets: readonly WriteTicket<T, R>[]): Promise<readonly R[]> {
    const startedAt = performance.now();
    const results = await this.options.sink.write(tickets.map(({ entry }) => entry));
    if (results.length !== tickets.length) {
      throw new TypeError(`the sink gave ${results.length} results for ${tickets.length} entries`);
    }
    const rows = tickets.reduce((sum, ticket) => sum + ticket.rows, 0);
    this.options.observer.onBatchWritten(
      workerId,
      rows,
      tickets.length,
      (performance.now() - startedAt) / 1000,
    );
    return results;
  }
}
