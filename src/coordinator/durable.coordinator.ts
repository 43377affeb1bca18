import { setTimeout as sleep } from 'node:timers/promises';
import type { BackpressureLevel } from '../core/backpressure.level.js';
import type { CircuitChange } from './circuit.breaker.js';
import { CoordinatorStoppedError } from './coordinator.errors.js';
import type { DeadLetterQueue } from './dead-letters/dead.letter.queue.js';
import type { DeadLetter } from './dead-letters/dead.letter.js';
import { DeadLetterReplay } from './dead.letter.replay.js';
import type {
  DurableCoordinatorOptions,
  DurableSnapshot,
  LetterTraits,
  QueueLoad,
} from './durable.options.js';
import { EntryGathering } from './entry.gathering.js';
import { GuardedListeners, type Listener } from './guarded.listeners.js';
import type { LevelChange } from './queue.options.js';
import type { Entry } from './sink.js';
import type { SpoolRoom } from './spool/spool.options.js';
import { SpoolFeed } from './spool.feed.js';
import { guardObserver, type WriteObserver } from './write.observer.js';
import { Waiter } from './waiter.js';
import { Watermarks } from './watermarks.js';
import { WriteCoordinator } from './write.coordinator.js';

const SECOND = 1000;
/** How often a stop looks whether everything is written. */
const LOOK_MS = 20;

/** An entry that is safe and whose commit is waited for. */
export interface AwaitedEntry<R> {
  /** Settles as `WriteCoordinator.submit` does. */
  readonly outcome: Promise<R>;
}

/**
 * A WriteCoordinator that works from a spool: an entry is accepted when it is safe on disk, and stays there until
 * it is committed, or its refused rows are safe in the dead-letter queue. The coordinator's queue is the window of
 * the spool that memory holds.
 */
export class DurableCoordinator<T extends Entry, R> {
  private readonly writes: WriteCoordinator<T, R>;
  private readonly feed: SpoolFeed<T, R>;
  private readonly replays: DeadLetterReplay<T, R>;
  private readonly gathering: EntryGathering<T>;
  private readonly observer: Required<WriteObserver>;
  private readonly watermarks: Watermarks;
  private readonly levelListeners: GuardedListeners<LevelChange>;
  /** Those who wait for the commit of an entry, by its sequence number. */
  private readonly awaited = new Map<number, Waiter<R>>();
  private readonly stopping = new AbortController();
  /** True while the spool takes nothing. */
  private blocked: boolean;
  private state: 'idle' | 'running' | 'stopping' = 'idle';
  private feeding: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;

  /** Throws a RangeError on settings that do not fit together. */
  constructor(private readonly options: DurableCoordinatorOptions<T, R>) {
    const { spool, deadLetters, codec, capacity, highWatermark, lowWatermark } = options;
    this.gathering = new EntryGathering(codec, Math.min(capacity, options.batchSize), (entry) =>
      this.append(entry),
    );
    this.observer = guardObserver(options.observer ?? {});
    this.levelListeners = new GuardedListeners(this.observer.onWorkerBug);
    this.watermarks = new Watermarks(capacity, highWatermark, lowWatermark);
    this.writes = new WriteCoordinator<T, R>({
      ...options,
      // An entry from before the capacity was lowered must still find room.
      capacity: Math.max(capacity, spool.recovered.heaviest, deadLetters.heaviest),
      parts: codec,
    });
    this.feed = new SpoolFeed<T, R>({
      ...options,
      writes: this.writes,
      observer: this.observer,
      signal: this.stopping.signal,
      isAwaited: (sequence) => this.awaited.has(sequence),
      onUnqueued: () => this.updateLevel(),
      onSettled: (sequence, deadRows) => this.settle(sequence, deadRows),
      onOutcome: (sequence, outcome) => this.answer(sequence, outcome),
    });
    this.replays = new DeadLetterReplay(options, () => this.updateLevel());
    spool.adoptDeadLetters(deadLetters.rows);
    this.watermarks.update(spool.rows);
    // It told nobody when it was opened: there was nobody yet.
    this.blocked = spool.snapshot().fault !== undefined;
  }

  /** Starts reading the spool and writing; a second call does nothing. A stopped coordinator throws. */
  start(): void {
    if (this.state === 'running') return;
    this.writes.start();
    this.state = 'running';
    this.feeding = this.feed.run();
  }

  /**
   * Asked before an entry is read: while the spool takes nothing, reading would take the time that writing needs.
   * @param hasRoom true: room is kept for it, and only a disk that fails is in its way
   * @throws SpoolFullError, SpoolUnavailableError
   */
  assertTaking(hasRoom: boolean): void {
    const { spool } = this.options;
    const refusal = hasRoom ? spool.failure : spool.refusal;
    if (refusal === undefined) return;
    this.observer.onRefusedUnread();
    throw refusal;
  }

  /**
   * Asked before a large entry, of about so many bytes, is read: one that would not fit beside those under way is
   * refused, then or as it comes.
   * @throws SpoolFullError, SpoolUnavailableError
   */
  reserve(announced: number): SpoolRoom {
    const { grow, release } = this.orRefuse(() => this.options.spool.reserve(announced));
    return { grow: (bytes) => this.orRefuse(() => grow(bytes)), release };
  }

  /**
   * Resolves when the entry is safe on disk; do not change it afterwards.
   * @throws SpoolFullError, SpoolUnavailableError, SpoolBusyError, CoordinatorStoppedError
   */
  accept(entry: T): Promise<void> {
    if (this.state === 'running' && this.gathering.takes(entry)) return this.gathering.add(entry);
    return this.acceptAlone(entry);
  }

  /**
   * The same for an entry whose commit is waited for: it is written without waiting for company, `outcome` tells of its
   * commit, and an open circuit refuses it.
   * @throws as accept, and CircuitOpenError
   */
  async acceptAwaited(entry: T): Promise<AwaitedEntry<R>> {
    if (this.state === 'running') this.writes.assertCircuitClosed(entry.rows);
    const waiter = new Waiter<R>();
    // Nobody may be there to hear it when the disk takes long.
    waiter.promise.catch(() => undefined);
    await this.acceptAlone(entry, waiter);
    return { outcome: waiter.promise };
  }

  /**
   * Gives a dead letter's rows to the spool once more; false when there is no letter of that id. A crash between
   * the two steps leaves the letter where it was: writing its rows twice is harmless.
   * @throws DeadLetterDamagedError, DeadLetterUndecodableError, CoordinatorStoppedError, and what a spool refuses with
   */
  async replayDeadLetter(id: string): Promise<boolean> {
    if (this.state !== 'running') throw new CoordinatorStoppedError(this.options.id, 0, false);
    return await this.replays.replay(id);
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

  /** What holds for all rows of a dead letter, for people; nothing when its bytes cannot be understood. */
  describe({ payload, time }: DeadLetter): LetterTraits {
    const { codec } = this.options;
    try {
      return codec.describe?.(codec.decode(Buffer.concat(payload), time)) ?? {};
    } catch {
      return {};
    }
  }

  /** How full it is: what every answer tells. */
  get load(): QueueLoad {
    const { queueSize } = this;
    const { capacity } = this.options;
    return { queueSize, capacity, utilization: queueSize / capacity, level: this.level };
  }

  /** The newest time of receipt of all entries that were ever accepted: Unix epoch, microseconds; 0 before the first. */
  get newestTime(): number {
    return this.options.spool.newestTime;
  }

  /** The coordinator now. */
  snapshot(): DurableSnapshot {
    const { id, spool, deadLetters } = this.options;
    const { workersAlive, circuitState, circuitCause, isolation } = this.writes.snapshot();
    const spoolNow = spool.snapshot();
    return {
      ...this.load,
      coordinatorId: id,
      workersAlive,
      circuitState,
      circuitCause,
      isolation,
      rows: spoolNow.totals,
      spool: spoolNow,
      deadLetters: deadLetters.letters,
      damagedLetters: deadLetters.damaged,
    };
  }

  /** Milliseconds after which a refused producer may hope for room; from 1 to 30 s. */
  retryAfterMs(): number {
    return this.writes.retryAfterMs(this.queueSize - this.watermarks.low);
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

  private orRefuse<V>(ask: () => V): V {
    try {
      return ask();
    } catch (error) {
      this.observer.onRefusedUnread();
      throw error;
    }
  }

  private async acceptAlone(entry: T, waiter?: Waiter<R>): Promise<void> {
    const { rows } = entry;
    if (this.state !== 'running') {
      this.observer.onRefused(rows, 'not_running');
      throw new CoordinatorStoppedError(this.options.id, rows, false);
    }
    // Put together with later ones, the earlier would count as received after this one.
    this.gathering.flush();
    await this.append(entry, waiter);
  }

  private async append(entry: T, waiter?: Waiter<R>): Promise<void> {
    const { rows } = entry;
    const { spool, codec } = this.options;
    try {
      await spool.append({
        payload: codec.encode(entry),
        rows,
        time: codec.timeOf(entry),
        entry,
        onSafe: (safe) => {
          if (waiter) this.awaited.set(safe, waiter);
          this.observer.onAccepted(rows);
          this.updateLevel();
        },
      });
    } catch (error) {
      this.observer.onRefused(rows, 'spool');
      throw error;
    }
  }

  /** Rows that are to be written. Those that wait for long though others are taken fill no queue. */
  private get queueSize(): number {
    return this.options.spool.rows - this.feed.unqueuedRows;
  }

  /** Bars are taken while the circuit is open: `soft` at least, as they are not written. */
  private get level(): BackpressureLevel {
    if (this.blocked) return 'hard';
    const { level } = this.watermarks;
    return level === 'ok' && this.writes.circuitState !== 'closed' ? 'soft' : level;
  }

  private updateLevel(): void {
    const reason = this.watermarks.update(this.queueSize);
    if (reason && !this.blocked) this.emit(this.level, reason);
  }

  private emit(level: BackpressureLevel, reason: LevelChange['reason']): void {
    this.levelListeners.emit({ level, reason, size: this.queueSize, capacity: this.options.capacity });
  }

  private settle(sequence: number, deadRows: number): void {
    this.options.spool.settle(sequence, deadRows);
    this.updateLevel();
  }

  private answer(sequence: number, outcome: R | Error): void {
    const waiter = this.awaited.get(sequence);
    if (!waiter) return;
    this.awaited.delete(sequence);
    if (outcome instanceof Error) waiter.reject(outcome);
    else waiter.resolve(outcome);
  }

  private async shutDown(deadline: number): Promise<void> {
    this.state = 'stopping';
    this.gathering.flush();
    const left = () => Math.max(0, deadline - performance.now());
    // Rows that wait though the store takes others may wait for hours.
    const isWriting = (): boolean => {
      const { circuitState, isolation } = this.writes.snapshot();
      const { waitingRows, asideRows } = isolation;
      return this.queueSize + asideRows > waitingRows && circuitState === 'closed';
    };
    while (left() > 0 && isWriting()) await sleep(LOOK_MS);
    this.stopping.abort();
    await this.writes.stop({ deadlineMs: Math.min(left(), SECOND) });
    const closed = new AbortController();
    // A disk that hangs must not hold up the end: what it has not confirmed was never acknowledged.
    await Promise.race([
      this.close().finally(() => closed.abort()),
      sleep(Math.max(left(), SECOND), undefined, { signal: closed.signal }).catch(() => undefined),
    ]);
    for (const waiter of this.awaited.values())
      waiter.reject(new CoordinatorStoppedError(this.options.id, 0, true));
  }

  private async close(): Promise<void> {
    await this.feeding;
    await this.options.spool.close();
  }
}

function reasonOf(level: BackpressureLevel): LevelChange['reason'] {
  return level === 'ok' ? 'queue_recovered' : level === 'soft' ? 'soft_watermark' : 'high_watermark';
}
