import type { BackpressureLevel } from '../core/backpressure.level.js';
import type { LevelReason } from './watermarks.js';

/** What a full queue does with a new entry: throw, let `put` wait, or give up the oldest waiting entries. */
export type OverflowStrategy = 'error' | 'block' | 'drop_oldest';

/** Settings of a BoundedQueue. */
export interface BoundedQueueOptions<T> {
  /** Most rows held at once, at least 1. */
  readonly capacity: number;
  /** Rows at or above which the level is `hard`; default 0.8 of the capacity. */
  readonly highWatermark?: number | undefined;
  /** Rows at or below which the level is `ok`; default 0.5 of the capacity. */
  readonly lowWatermark?: number | undefined;
  readonly overflow: OverflowStrategy;
  /** Gets every entry that `drop_oldest` gives up, before the call that displaced it returns. */
  readonly onDrop?: ((entry: T) => unknown) | undefined;
  /** Gets what a listener or `onDrop` throws or rejects with; default: a process warning. */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
}

/** How an entry is offered. */
export interface OfferOptions {
  /** True when somebody waits for this entry: the next take does not linger for company. */
  readonly flush?: boolean | undefined;
}

/** How an entry is put. */
export interface PutOptions extends OfferOptions {
  /** Ends a wait for room: the put rejects with the signal's reason and the entry was not taken. */
  readonly signal?: AbortSignal | undefined;
}

/** How entries are taken. */
export interface TakeOptions {
  /** Rows that must wait, unless the oldest has waited long enough; default: as many as are taken at most. */
  readonly readyRows?: number | undefined;
  /** Milliseconds that the oldest waiting entry is kept for company, counted from its arrival; default 0. */
  readonly lingerMs?: number | undefined;
  /** Once no entry has come for so many milliseconds, a full take need not wait for `readyRows`; default: never. */
  readonly quietMs?: number | undefined;
  /** Ends the wait: the take rejects with the signal's reason and nothing was taken. */
  readonly signal?: AbortSignal | undefined;
  /** True: the rows taken count as held until `release` is called for them. Default false. */
  readonly hold?: boolean | undefined;
}

/** One crossing into another level. */
export interface LevelChange {
  readonly level: BackpressureLevel;
  readonly reason: LevelReason | 'spool_full';
  /** Rows held when it happened. */
  readonly size: number;
  /** Rows the queue can hold. */
  readonly capacity: number;
}
