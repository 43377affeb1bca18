import { setTimeout as sleep } from 'node:timers/promises';
import type { BackpressureLevel } from '../core/backpressure.level.js';
import type { CircuitChange } from './circuit.breaker.js';
import { CoordinatorStoppedError, WriteRefusedError } from './coordinator.errors.js';
import { DeadLetterQueue } from './dead-letters/dead.letter.queue.js';
import type { DeadLetter, DeadLetterReason } from './dead-letters/dead.letter.js';
import type { DurableCoordinatorOptions, DurableSnapshot } from './durable.options.js';
import { sqlstateOf } from './failure.table.js';
import { GuardedListeners, type Listener } from './guarded.listeners.js';
import type { LevelChange } from './queue.options.js';
import type { Entry } from './sink.js';
import type { SpoolItem } from './spool/spool.js';
import { guardObserver, type WriteObserver } from './write.observer.js';
import { Waiter } from './waiter.js';
import { Watermarks } from './watermarks.js';
import { WriteCoordinator } from './write.coordinator.js';

const SECOND = 1000;
/** How often a stop looks whether everything is written. */
const LOOK_MS = 20;

/** An entry that is safe. */
export interface Accepted<R> {
  /** Its number in the spool. */
  readonly sequence: number;
  /** Settles as `WriteCoordinator.submit` does, when it was asked for. */
  readonly outcome: Promise<R> | undefined;
}

/**
 * A WriteCoordinator that works from a spool: an entry is accepted when it is safe on disk, and stays there until
 * it is committed, or its refused rows are safe in the dead-letter queue. The coordinator's queue is the window of
 * the spool that memory holds.
 */
export class DurableCoordinator<T extends Entry, R> {
  private readonly writes: WriteCoordinator<T, R>;
  private readonly observer: Required<WriteObserver>;
  private readonly watermarks: Watermarks;
  private readonly levelListeners: GuardedListeners<LevelChange>;
  /** Those who wait for the commit of an entry, by its sequence number. */
  private readonly awaited = new Map<number, Waiter<R>>();
  private readonly ledger: { accepted: number; committed: number; deadLettered: number };
  private readonly stopping = new AbortController();
  /** True while the spool takes nothing. */
  private blocked = false;
  private state: 'idle' | 'running' | 'stopping' = 'idle';
  private feeding: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;

  /** Throws a RangeError on settings that do not fit together. */
  constructor(private readonly options: DurableCoordinatorOptions<T, R>) {
    const { spool, deadLetters, codec, capacity, highWatermark, lowWatermark } = options;
    this.observer = guardObserver(options.observer ?? {});
    this.levelListeners = new GuardedListeners(this.observer.onWorkerBug);
    this.watermarks = new Watermarks(capacity, highWatermark, lowWatermark);
    this.writes = new WriteCoordinator<T, R>({
      ...options,
      // An entry from before the capacity was lowered must still find room.
      capacity: Math.max(capacity, spool.recovered.heaviest),
      parts: codec,
    });
    const { rows } = spool.recovered;
    this.ledger = { accepted: rows + deadLetters.rows, committed: 0, deadLettered: deadLetters.rows };
    this.watermarks.update(rows);
  }

  /** Starts reading the spool and writing; a second call does nothing. A stopped coordinator throws. */
  start(): void {
    if (this.state === 'running') return;
    this.writes.start();
    this.state = 'running';
    this.feeding = this.feed();
  }

  /**
   * Resolves when the entry is safe on disk; do not change it afterwards. With `awaitCommit` it is written without
   * waiting for company, `outcome` tells of its commit, and an open circuit refuses it.
   * @throws SpoolFullError, SpoolUnavailableError, SpoolBusyError, CircuitOpenError, CoordinatorStoppedError
   */
  async accept(entry: T, { awaitCommit = false } = {}): Promise<Accepted<R>> {
    const { rows } = entry;
    const { spool, codec, id } = this.options;
    if (this.state !== 'running') {
      this.observer.onRefused(rows, 'not_running');
      throw new CoordinatorStoppedError(id, rows, false);
    }
    if (awaitCommit) this.writes.assertCircuitClosed(rows);
    const waiter = awaitCommit ? new Waiter<R>() : undefined;
    // Nobody may be there to hear it when the disk takes long.
    waiter?.promise.catch(() => undefined);
    try {
      const sequence = await spool.append({
        payload: codec.encode(entry),
        rows,
        time: codec.timeOf(entry),
        entry,
        onSafe: (safe) => {
          if (waiter) this.awaited.set(safe, waiter);
          this.ledger.accepted += rows;
          this.observer.onAccepted(rows);
          this.updateLevel();
        },
      });
      return { sequence, outcome: waiter?.promise };
    } catch (error) {
      this.observer.onRefused(rows, 'spool');
      throw error;
    }
  }

  /**
   * Gives a dead letter's rows to the spool once more; false when there is no letter of that id. A crash between
   * the two steps leaves the letter where it was: writing its rows twice is harmless.
   */
  async replayDeadLetter(id: string): Promise<boolean> {
    const { spool, deadLetters } = this.options;
    if (this.state !== 'running') throw new CoordinatorStoppedError(this.options.id, 0, false);
    const letter = await deadLetters.read(id);
    if (!letter) return false;
    const { payload, rows, time } = letter;
    const entry = this.options.codec.decode(Buffer.concat(payload), time);
    await spool.append({
      payload,
      rows,
      time,
      entry,
      onSafe: () => {
        this.ledger.deadLettered -= rows;
        this.updateLevel();
      },
    });
    await deadLetters.remove(id);
    return true;
  }

  /** What the sink refused. */
  get deadLetters(): DeadLetterQueue {
    return this.options.deadLetters;
  }

  /** The first rows of a dead letter, for people; none when its bytes cannot be understood. */
  show({ payload, time }: DeadLetter, limit: number): object[] {
    const { codec } = this.options;
    try {
      return codec.show(codec.decode(Buffer.concat(payload), time), limit);
    } catch {
      return [];
    }
  }

  /** The coordinator now. */
  snapshot(): DurableSnapshot {
    const { id, spool, deadLetters, capacity } = this.options;
    const { workersAlive, circuitState } = this.writes.snapshot();
    const spoolNow = spool.snapshot();
    const { accepted, committed, deadLettered } = this.ledger;
    const spooled = spoolNow.rows;
    return {
      coordinatorId: id,
      workersAlive,
      queueSize: spooled,
      capacity,
      utilization: spooled / capacity,
      level: this.level,
      circuitState,
      rows: {
        accepted,
        committed,
        spooled,
        deadLettered,
        residual: accepted - committed - spooled - deadLettered,
      },
      spool: spoolNow,
      deadLetters: deadLetters.letters,
    };
  }

  /** Milliseconds after which a refused producer may hope for room; from 1 to 30 s. */
  retryAfterMs(): number {
    return this.writes.retryAfterMs(this.options.spool.rows - this.watermarks.low);
  }

  /** Hears each change of the backpressure level. Dispose of the result to unsubscribe. */
  onLevelChange(listener: Listener<LevelChange>): Disposable {
    return this.levelListeners.add(listener);
  }

  /** Hears each change of the circuit's state. Dispose of the result to unsubscribe. */
  onCircuitChange(listener: Listener<CircuitChange>): Disposable {
    return this.writes.onCircuitChange(listener);
  }

  /** To be called when the spool stops taking entries, and when it takes them again. */
  setBlocked(blocked: boolean): void {
    if (this.blocked === blocked) return;
    const before = this.level;
    this.blocked = blocked;
    if (blocked) this.emit('hard', 'spool_full');
    else if (this.level !== before) this.emit(this.level, reasonOf(this.level));
  }

  /**
   * Takes nothing new, and writes what there is for as long as the deadline and the database allow; the rest stays
   * in the spool. Later calls share the first one's promise.
   */
  stop({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.stopped ??= this.shutDown(performance.now() + deadlineMs);
    return this.stopped;
  }

  private get level(): BackpressureLevel {
    return this.blocked ? 'hard' : this.watermarks.level;
  }

  private updateLevel(): void {
    const reason = this.watermarks.update(this.options.spool.rows);
    if (reason && !this.blocked) this.emit(this.level, reason);
  }

  private emit(level: BackpressureLevel, reason: LevelChange['reason']): void {
    const { spool, capacity } = this.options;
    this.levelListeners.emit({ level, reason, size: spool.rows, capacity });
  }

  /** From the spool into the window, in order, for as long as the coordinator runs. */
  private async feed(): Promise<void> {
    const { signal } = this.stopping;
    while (this.isFeeding()) {
      try {
        await this.deliver(await this.options.spool.next(signal), signal);
      } catch (error) {
        if (!this.isFeeding()) return;
        this.observer.onFeedError(error);
        await sleep(SECOND, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  private isFeeding(): boolean {
    return !this.stopping.signal.aborted;
  }

  private async deliver(item: SpoolItem<T>, signal: AbortSignal): Promise<void> {
    const entry = this.entryOf(item);
    if (entry instanceof Error) {
      const payload = 'payload' in item.content ? [item.content.payload] : [];
      await this.bury(item, 0, item.rows, payload, {
        reason: 'undecodable',
        sqlstate: undefined,
        detail: entry.message,
      });
      this.settle(item, item.rows);
      return;
    }
    let buried = 0;
    const { outcome } = await this.writes.deliver(entry, {
      signal,
      flush: this.awaited.has(item.sequence),
      deadLetters: async (part, firstRow, error) => {
        await this.bury(item, firstRow, part.rows, this.options.codec.encode(part), whyOf(error));
        buried += part.rows;
      },
    });
    outcome.then(
      (result) => {
        this.settle(item, buried);
        this.answer(item.sequence, (waiter) => waiter.resolve(result));
      },
      (error: unknown) => {
        // Anything else left rows unwritten: the entry stays in the spool, and is written after the next start.
        if (error instanceof WriteRefusedError && error.reason !== 'worker_bug') this.settle(item, buried);
        this.answer(item.sequence, (waiter) => waiter.reject(error as Error));
      },
    );
  }

  private entryOf({ content, time }: SpoolItem<T>): T | Error {
    if ('entry' in content) return content.entry;
    try {
      return this.options.codec.decode(content.payload, time);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Tries until it is safe: a full disk is no reason to lose rows, and the entry stays in the spool meanwhile. */
  private async bury(
    item: SpoolItem<T>,
    firstRow: number,
    rows: number,
    payload: readonly Buffer[],
    why: DeadLetterReason,
  ): Promise<void> {
    const { time } = item;
    const letter = {
      id: DeadLetterQueue.idOf(item, firstRow),
      rows,
      time,
      refusedAt: Date.now(),
      payload,
      ...why,
    };
    for (;;) {
      try {
        await this.options.deadLetters.add(letter);
        this.observer.onDeadLetter(letter.id, rows, why.reason);
        return;
      } catch (error) {
        this.observer.onFeedError(error);
        await sleep(SECOND, undefined, { signal: this.stopping.signal });
      }
    }
  }

  private settle({ sequence, rows }: SpoolItem<T>, buried: number): void {
    this.options.spool.settle(sequence);
    this.ledger.committed += rows - buried;
    this.ledger.deadLettered += buried;
    this.updateLevel();
  }

  private answer(sequence: number, how: (waiter: Waiter<R>) => void): void {
    const waiter = this.awaited.get(sequence);
    this.awaited.delete(sequence);
    if (waiter) how(waiter);
  }

  private async shutDown(deadline: number): Promise<void> {
    this.state = 'stopping';
    const left = () => Math.max(0, deadline - performance.now());
    const { spool } = this.options;
    while (spool.rows > 0 && left() > 0 && this.writes.snapshot().circuitState === 'closed')
      await sleep(LOOK_MS);
    this.stopping.abort();
    await this.writes.stop({ deadlineMs: Math.min(left(), SECOND) });
    await this.feeding;
    await spool.close();
    for (const waiter of this.awaited.values())
      waiter.reject(new CoordinatorStoppedError(this.options.id, 0, true));
  }
}

function reasonOf(level: BackpressureLevel): LevelChange['reason'] {
  return level === 'ok' ? 'queue_recovered' : level === 'soft' ? 'soft_watermark' : 'high_watermark';
}

function whyOf(error: WriteRefusedError): DeadLetterReason {
  const { cause } = error;
  return {
    reason: error.reason,
    sqlstate: sqlstateOf(cause),
    detail: cause instanceof Error ? cause.message : error.message,
  };
}
