import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { BatchCutting } from './batch.cutting.js';
import { BatchIsolator } from './batch.isolator.js';
import { BatchWriter } from './batch.writer.js';
import { BoundedQueue } from './bounded.queue.js';
import { CircuitBreaker, type CircuitChange, type CircuitState } from './circuit.breaker.js';
import { CoordinatorStoppedError, WriteRefusedError } from './coordinator.errors.js';
import type { CoordinatorSnapshot, WriteCoordinatorOptions } from './coordinator.options.js';
import { DrainRate } from './drain.rate.js';
import type { Listener } from './guarded.listeners.js';
import { GuardedSink } from './guarded.sink.js';
import type { LevelChange, OfferOptions, PutOptions } from './queue.options.js';
import { RetryPolicy } from './retry.policy.js';
import type { Entry } from './sink.js';
import { guardObserver, type RefusalReason, type WriteObserver } from './write.observer.js';
import { batchSizes, paceOf } from './worker.pace.js';
import {
  WriteTicket,
  type AsidePart,
  type DeadLetterSink,
  type EntrySource,
  type Part,
  type Settlement,
} from './write.ticket.js';

const SECOND = 1000;
/** Rows that are refused while others are taken may wait this many times as long between tries as a whole batch. */
const WAITING_FACTOR = 10;
/** Rows that are isolated may take the capacity divided by this: the rest is for those that can be written. */
const ISOLATED_SHARE = 4;

/** Producers -> bounded queue -> workers -> sink. An entry is accepted when it is in the queue, and then kept. */
export class WriteCoordinator<T extends Entry, R> {
  private readonly queue: BoundedQueue<WriteTicket<T, R>>;
  private readonly breaker: CircuitBreaker;
  private readonly writer: BatchWriter<T, R>;
  private readonly isolator: BatchIsolator<T, R>;
  private readonly observer: Required<WriteObserver>;
  private readonly drainRate = new DrainRate();
  private readonly abandon = new AbortController();
  /** Tickets accepted and not yet settled. */
  private readonly held = new Set<WriteTicket<T, R>>();
  private readonly rows = { accepted: 0, committed: 0, refused: 0 };
  private state: 'idle' | 'running' | 'stopping' = 'idle';
  private workers: Promise<void>[] = [];
  private workersAlive = 0;
  private stopped: Promise<void> | undefined;

  /** Throws a RangeError on settings that do not fit together. */
  constructor(private readonly options: WriteCoordinatorOptions<T, R>) {
    const { workers, capacity, highWatermark, lowWatermark, sink, parts } = options;
    if (!(workers >= 1)) throw new RangeError(`workers must be at least 1, not ${workers}`);
    if (!(options.batchSize >= 1))
      throw new RangeError(`batchSize must be at least 1 row, not ${options.batchSize}`);
    this.observer = guardObserver(options.observer ?? {});
    const onListenerError = this.observer.onWorkerBug;
    this.queue = new BoundedQueue({
      capacity,
      highWatermark,
      lowWatermark,
      overflow: 'block',
      onListenerError,
    });
    this.breaker = new CircuitBreaker({ ...options.breaker, onListenerError });
    // Every worker listens to it while it waits, and Node warns of a leak from the eleventh on.
    setMaxListeners(0, this.abandon.signal);
    const { breaker, observer } = this;
    const { signal } = this.abandon;
    const retry = new RetryPolicy(options.retry);
    const { maxAttempts } = retry;
    const guarded = new GuardedSink({ sink, breaker, observer, maxAttempts, signal });
    const cutting = new BatchCutting(parts);
    const settlement: Settlement<T, R> = {
      committed: (written, results) => this.committed(written, results),
      refused: (part, error) => this.refused(part, error),
      setAside: (part) => this.setAside(part),
      broughtBack: (part) => this.broughtBack(part),
    };
    const pauses = retry.withLongerWaits(WAITING_FACTOR);
    const common = { sink: guarded, cutting, settlement, retry, signal };
    const mostRowsInMemory = Math.floor(capacity / ISOLATED_SHARE);
    this.isolator = new BatchIsolator({ ...common, pauses, observer, mostRowsInMemory });
    this.writer = new BatchWriter({ ...common, isolator: this.isolator });
  }

  /** Starts the workers; a second call does nothing. A stopped coordinator cannot be started again, and throws. */
  start(): void {
    if (this.state === 'running') return;
    if (this.state === 'stopping') throw new CoordinatorStoppedError(this.options.id, 0, false);
    this.state = 'running';
    this.workers = Array.from({ length: this.options.workers }, (_, workerId) => this.work(workerId));
  }

  /**
   * Refuses new entries and resolves when all that is held has been settled: written or, from the deadline on,
   * rejected with CoordinatorStoppedError. Later calls share the first one's promise and deadline.
   */
  stop({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.stopped ??= this.shutDown(deadlineMs);
    return this.stopped;
  }

  /**
   * Takes an entry; resolves after its commit with its own result. Rejects at once with QueueFullError,
   * CircuitOpenError or CoordinatorStoppedError when it was not accepted, and later with WriteRefusedError or
   * CoordinatorStoppedError. `flush` writes it as soon as a worker is free, without waiting for company.
   */
  async submit(entry: T, options: OfferOptions = {}): Promise<R> {
    const ticket = new WriteTicket<T, R>(entry);
    const { rows } = ticket;
    if (this.state !== 'running') {
      this.observer.onRefused(rows, 'not_running');
      throw new CoordinatorStoppedError(this.options.id, rows, false);
    }
    this.assertCircuitClosed(rows);
    this.admit('queue_full', rows, () => this.queue.offer(ticket, options));
    this.take(ticket);
    this.observer.onAccepted(rows);
    return ticket.promise;
  }

  /**
   * Takes an entry as soon as there is room, whatever the circuit's state: for entries that are safe elsewhere and
   * may not be refused. Resolves when it is in the queue; `outcome` settles as what `submit` returns does, but an
   * entry of which rows are refused is taken apart, and those at fault go to `deadLetters`; the others are tried until
   * they are written, and read from `source` for each try. Rejects when it was not taken.
   */
  async deliver(
    entry: T,
    options: PutOptions & { readonly deadLetters: DeadLetterSink<T>; readonly source: EntrySource<T> },
  ): Promise<{ readonly outcome: Promise<R> }> {
    const ticket = new WriteTicket<T, R>(entry, options);
    await this.queue.put(ticket, options);
    this.take(ticket);
    return { outcome: ticket.promise };
  }

  /** Where the circuit to the sink stands. */
  get circuitState(): CircuitState {
    return this.breaker.state;
  }

  /** The coordinator now. */
  snapshot(): CoordinatorSnapshot {
    const { size: queueSize, capacity, level } = this.queue;
    return {
      coordinatorId: this.options.id,
      workersAlive: this.workersAlive,
      queueSize,
      capacity,
      utilization: queueSize / capacity,
      level,
      circuitState: this.breaker.state,
      circuitCause: this.breaker.cause,
      isolation: this.isolator.state,
      rows: { ...this.rows },
    };
  }

  /**
   * Milliseconds after which a refused producer may hope for room: until the circuit lets a call through, and the
   * queue has drained to its low watermark, or by `excess` rows, at the rate lately seen. From 1 to 30 s.
   */
  retryAfterMs(excess = this.queue.size - this.queue.lowWatermark): number {
    const seconds = this.drainRate.secondsFor(Math.max(0, excess));
    const wait = Math.max(this.breaker.retryAfterMs, seconds * SECOND);
    return Math.round(Math.min(30 * SECOND, Math.max(SECOND, wait)));
  }

  /** Throws CircuitOpenError, and counts the rows as refused, while the circuit lets nothing through. */
  assertCircuitClosed(rows: number): void {
    this.admit('circuit_open', rows, () => this.breaker.assertAllowed());
  }

  /** Hears each change of the backpressure level. Dispose of the result to unsubscribe. */
  onLevelChange(listener: Listener<LevelChange>): Disposable {
    return this.queue.onLevelChange(listener);
  }

  /** Hears each change of the circuit's state. Dispose of the result to unsubscribe. */
  onCircuitChange(listener: Listener<CircuitChange>): Disposable {
    return this.breaker.onStateChange(listener);
  }

  private admit(reason: RefusalReason, rows: number, gate: () => void): void {
    try {
      gate();
    } catch (error) {
      this.observer.onRefused(rows, reason);
      throw error;
    }
  }

  private take(ticket: WriteTicket<T, R>): void {
    this.held.add(ticket);
    this.rows.accepted += ticket.rows;
    this.noteWork();
  }

  /** Rows that are isolated are no work for the workers: they must not make the queue look slow. */
  private noteWork(): void {
    if (this.queue.size > this.isolator.rowsInMemory) this.drainRate.busy();
    else this.drainRate.idle();
  }

  private async work(workerId: number): Promise<void> {
    const { batchSize, flushIntervalMs } = this.options;
    this.workersAlive++;
    for (const maxRows of batchSizes(batchSize)) {
      const pace = paceOf(workerId, { maxRows, flushIntervalMs, lowWatermark: this.queue.lowWatermark });
      // Held: a batch being written takes as much memory as one that waits.
      const batch = await this.queue.take(maxRows, { hold: true, ...pace });
      if (batch.length === 0) break;
      try {
        await this.writer.write(
          workerId,
          batch.map((ticket) => ticket.takeWhole()),
        );
        this.noteWork();
      } catch (bug) {
        // Refused rows that could not be made safe before the end are no bug.
        if (!(bug instanceof CoordinatorStoppedError)) this.observer.onWorkerBug(bug);
        for (const ticket of batch)
          this.giveUp(ticket, 'write_refused', new WriteRefusedError(ticket.rows, 'worker_bug', bug));
      }
    }
    this.workersAlive--;
  }

  private committed(parts: readonly Part<T, R>[], results: readonly R[]): void {
    parts.forEach(({ ticket, entry }, i) => {
      if (!this.held.has(ticket)) return;
      ticket.results.push(results[i] as R);
      ticket.committedRows += entry.rows;
      this.rows.committed += entry.rows;
      this.queue.release(entry.rows);
      this.drainRate.add(entry.rows);
      this.settleIfDone(ticket, entry.rows);
    });
  }

  private async refused({ ticket, entry, firstRow }: Part<T, R>, error: WriteRefusedError): Promise<void> {
    await ticket.safe?.deadLetters(entry, firstRow, error);
    if (!this.held.has(ticket)) return;
    ticket.refusal ??= error;
    this.countRefused(ticket, entry.rows, 'write_refused');
    this.settleIfDone(ticket, entry.rows);
  }

  private setAside({ ticket, entry, firstRow }: Part<T, R>): AsidePart<T, R> {
    const { rows } = entry;
    if (this.held.has(ticket)) {
      ticket.setAside(rows);
      ticket.safe?.source.unqueued(rows);
      this.queue.release(rows);
    }
    return { ticket, firstRow, rows };
  }

  private broughtBack({ ticket, rows }: AsidePart<T, R>): void {
    if (!this.held.has(ticket)) return;
    this.queue.hold(ticket.bringBack(rows));
    ticket.safe?.source.unqueued(-rows);
  }

  /** Answers a ticket of which nothing more will be known. */
  private giveUp(ticket: WriteTicket<T, R>, reason: RefusalReason, error: Error): void {
    if (!this.held.has(ticket)) return;
    this.queue.hold(ticket.bringBack());
    this.countRefused(ticket, ticket.pendingRows, reason);
    this.forget(ticket);
    ticket.reject(error);
  }

  private countRefused(ticket: WriteTicket<T, R>, rows: number, reason: RefusalReason): void {
    ticket.refusedRows += rows;
    this.rows.refused += rows;
    this.queue.release(rows);
    this.observer.onRefused(rows, reason);
  }

  /** `doneRows` are known since now. */
  private settleIfDone(ticket: WriteTicket<T, R>, doneRows: number): void {
    if (ticket.pendingRows > 0) {
      ticket.safe?.source.unqueued(doneRows);
      return;
    }
    this.forget(ticket);
    const { results, refusal } = ticket;
    const [only] = results;
    if (refusal) ticket.reject(refusal);
    else if (results.length > 1 && this.options.parts) ticket.resolve(this.options.parts.sum(results));
    else ticket.resolve(only as R);
  }

  private forget(ticket: WriteTicket<T, R>): void {
    this.held.delete(ticket);
    this.noteWork();
  }

  private async shutDown(deadlineMs: number): Promise<void> {
    this.state = 'stopping';
    this.queue.close();
    const finished = new AbortController();
    const drained = Promise.all(this.workers)
      .then(() => this.isolator.finish())
      .then(() => finished.abort());
    await Promise.race([
      drained,
      sleep(deadlineMs, undefined, { signal: finished.signal }).catch(() => undefined),
    ]);
    this.abandon.abort();
    this.abandonHeld();
  }

  /** A sink that hangs cannot be made to return, so its submitters are answered without it. */
  private abandonHeld(): void {
    const { id } = this.options;
    const waiting = new Set(this.queue.drain({ hold: true }));
    for (const ticket of [...this.held]) {
      this.giveUp(ticket, 'abandoned', new CoordinatorStoppedError(id, ticket.rows, !waiting.has(ticket)));
    }
  }
}
