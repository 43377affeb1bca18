import type { BackpressureLevel } from '../core/backpressure.level.js';
import { EntryLine } from './entry.line.js';
import { callGuarded, warn } from './guarded.call.js';
import { GuardedListeners, type Listener } from './guarded.listeners.js';
import { QueueClosedError, QueueFullError } from './queue.errors.js';
import type {
  BoundedQueueOptions,
  LevelChange,
  OfferOptions,
  PutOptions,
  TakeOptions,
} from './queue.options.js';
import { RingDeque } from './ring.deque.js';
import type { Entry } from './sink.js';
import { Waiter } from './waiter.js';
import { Watermarks } from './watermarks.js';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Putter<T> {
  readonly waiter: Waiter<void>;
  readonly entry: T;
  readonly rows: number;
  readonly flush: boolean;
}

interface Taker<T> {
  readonly waiter: Waiter<T[]>;
  readonly maxRows: number;
  readonly readyRows: number;
  readonly lingerMs: number;
  readonly quietMs: number;
  readonly hold: boolean;
}

/**
 * A first-in-first-out queue bounded in rows. Every hand-over happens inside the call that makes it possible:
 * once `offer` has returned or `put` has found room, the entry is in the queue or with its taker, and kept.
 */
export class BoundedQueue<T extends Entry> {
  private readonly waiting = new EntryLine<T>();
  /** As few as there are workers. */
  private readonly takers: Taker<T>[] = [];
  private readonly putters = new RingDeque<Putter<T>>();
  private readonly watermarks: Watermarks;
  private readonly levelListeners: GuardedListeners<LevelChange>;
  private readonly onListenerError: (error: unknown) => void;
  private heldRows = 0;
  private closed = false;
  private alarm: { readonly deadline: number; readonly timer: NodeJS.Timeout } | undefined;

  /** Throws a RangeError when capacity and watermarks do not fit together. */
  constructor(private readonly options: BoundedQueueOptions<T>) {
    this.watermarks = new Watermarks(options.capacity, options.highWatermark, options.lowWatermark);
    this.onListenerError = options.onListenerError ?? warn;
    this.levelListeners = new GuardedListeners(this.onListenerError);
  }

  /** Most rows held at once. */
  get capacity(): number {
    return this.options.capacity;
  }

  /** Rows at or below which the level is `ok`. */
  get lowWatermark(): number {
    return this.watermarks.low;
  }

  /** Rows held: those waiting, and those taken with `hold` and not yet released. */
  get size(): number {
    return this.waiting.rows + this.heldRows;
  }

  /** Entries waiting to be taken. */
  get length(): number {
    return this.waiting.length;
  }

  /** How full the queue is, with hysteresis. */
  get level(): BackpressureLevel {
    return this.watermarks.level;
  }

  /** Hears each crossing once, in order, outside the call that caused it. Dispose of the result to unsubscribe. */
  onLevelChange(listener: Listener<LevelChange>): Disposable {
    return this.levelListeners.add(listener);
  }

  /**
   * Adds an entry; with the strategy `block` waits for room, first come first served. Rejects with QueueFullError,
   * QueueClosedError or the signal's reason, and then the entry was not taken.
   */
  async put(entry: T, options: PutOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const { rows } = entry;
    if (this.options.overflow !== 'block' || rows > this.capacity || this.closed || this.hasRoom(rows)) {
      this.offer(entry, options);
      return;
    }
    const waiter = new Waiter<void>(options.signal, () => {
      this.putters.remove(putter);
      this.advance();
    });
    const putter: Putter<T> = { waiter, entry, rows, flush: options.flush ?? false };
    this.putters.push(putter);
    await waiter.promise;
  }

  /**
   * Adds an entry now or throws QueueFullError or QueueClosedError. An entry larger than the whole capacity is
   * always refused: letting it into an empty queue would break the bound on memory that capacity promises.
   */
  offer(entry: T, options: OfferOptions = {}): void {
    const { rows } = entry;
    if (!Number.isSafeInteger(rows) || rows < 1)
      throw new RangeError(`an entry weighs at least 1 row, not ${rows}`);
    if (this.closed) throw new QueueClosedError(rows);
    const dropped = this.hasRoom(rows) ? [] : this.makeRoom(rows);
    this.waiting.push(entry, rows, options.flush ?? false);
    this.advance();
    const { onDrop } = this.options;
    if (onDrop) for (const old of dropped) callGuarded(() => onDrop(old), this.onListenerError);
  }

  /**
   * Takes the oldest entries, whole, at least one and else no more than `maxRows` rows: as soon as `readyRows` wait, or
   * `maxRows` wait and nothing has come for `quietMs`, or the oldest has lingered long enough, or an entry offered with
   * `flush` waits. Of the takes that are ready the one that came first is served first. [] once closed and empty.
   */
  async take(maxRows: number, options: TakeOptions = {}): Promise<T[]> {
    options.signal?.throwIfAborted();
    if (!(maxRows >= 1)) throw new RangeError(`a take asks for at least 1 row, not ${maxRows}`);
    const waiter = new Waiter<T[]>(options.signal, () => {
      this.takers.splice(this.takers.indexOf(taker), 1);
      this.advance();
    });
    const { readyRows = maxRows, lingerMs = 0, quietMs = Infinity, hold = false } = options;
    const taker: Taker<T> = { waiter, maxRows, readyRows, lingerMs, quietMs, hold };
    this.takers.push(taker);
    this.advance();
    return waiter.promise;
  }

  /** Gives back rows that were taken with `hold`, and so makes room. */
  release(rows: number): void {
    if (!(rows >= 0 && rows <= this.heldRows)) {
      throw new RangeError(`cannot release ${rows} rows: ${this.heldRows} rows are held`);
    }
    this.heldRows -= rows;
    this.advance();
  }

  /** Counts rows again that were released, whatever room there is. */
  hold(rows: number): void {
    this.heldRows += rows;
    this.advance();
  }

  /** Removes and returns every waiting entry at once, oldest first; with `hold` their rows count until released. */
  drain({ hold = false }: Pick<TakeOptions, 'hold'> = {}): T[] {
    const entries = this.takeWaiting(Infinity, hold);
    this.advance();
    return entries;
  }

  /** Refuses new entries and blocked puts from now on; takes no longer linger, and end with [] once it is empty. */
  close(): void {
    this.closed = true;
    for (let putter = this.putters.shift(); putter; putter = this.putters.shift()) {
      putter.waiter.reject(new QueueClosedError(putter.rows));
    }
    this.advance();
  }

  /** Blocked puts go first: a newcomer that overtook them could starve a heavy entry for ever. */
  private hasRoom(rows: number): boolean {
    return this.putters.length === 0 && rows <= this.capacity - this.size;
  }

  private makeRoom(rows: number): T[] {
    const reachable = this.capacity - this.heldRows;
    if (this.options.overflow !== 'drop_oldest' || rows > reachable) {
      throw new QueueFullError(this.size, this.capacity, rows);
    }
    const dropped: T[] = [];
    while (rows > this.capacity - this.size) dropped.push(...this.waiting.take(1));
    return dropped;
  }

  /** Everything that the present state makes possible, then one look at the level of the state it ends in. */
  private advance(): void {
    do this.admitPutters();
    while (this.serveTaker());
    this.setAlarm();
    const reason = this.watermarks.update(this.size);
    if (reason)
      this.levelListeners.emit({ level: this.level, reason, size: this.size, capacity: this.capacity });
  }

  private admitPutters(): void {
    for (let next = this.putters.peek(); next; next = this.putters.peek()) {
      if (next.rows > this.capacity - this.size) return;
      this.putters.shift();
      this.waiting.push(next.entry, next.rows, next.flush);
      next.waiter.resolve();
    }
  }

  private serveTaker(): boolean {
    const at = this.takers.findIndex((one) => this.isReady(one));
    const [taker] = at < 0 ? [] : this.takers.splice(at, 1);
    if (!taker) return false;
    taker.waiter.resolve(this.takeWaiting(taker.maxRows, taker.hold));
    return true;
  }

  private takeWaiting(maxRows: number, hold: boolean): T[] {
    const before = this.waiting.rows;
    const entries = this.waiting.take(maxRows);
    if (hold) this.heldRows += before - this.waiting.rows;
    return entries;
  }

  private isReady(taker: Taker<T>): boolean {
    const { rows, urgent } = this.waiting;
    if (this.closed || rows === 0) return this.closed;
    return urgent || rows >= taker.readyRows || performance.now() >= this.readyAt(taker);
  }

  /** When a take is ready though no more comes. */
  private readyAt({ maxRows, lingerMs, quietMs }: Taker<T>): number {
    const { oldestAt = Infinity, newestAt = Infinity, rows } = this.waiting;
    return Math.min(oldestAt + lingerMs, rows >= maxRows ? newestAt + quietMs : Infinity);
  }

  private setAlarm(): void {
    const deadline = this.takers.reduce((soonest, taker) => Math.min(soonest, this.readyAt(taker)), Infinity);
    if (deadline === (this.alarm?.deadline ?? Infinity)) return;
    clearTimeout(this.alarm?.timer);
    this.alarm = undefined;
    if (deadline === Infinity) return;
    // Rounded up: a timer that fires a fraction early would find nothing due and spin. Bounded: Node fires one
    // that is longer than it can count at once.
    const delay = Math.min(Math.ceil(deadline - performance.now()), LONGEST_TIMER_MS);
    const timer = setTimeout(() => {
      this.alarm = undefined;
      this.advance();
    }, delay);
    this.alarm = { deadline, timer };
  }
}
