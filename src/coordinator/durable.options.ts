import type { CoordinatorSnapshot, WriteCoordinatorOptions } from './coordinator.options.js';
import type { DeadLetterQueue } from './dead-letters/dead.letter.queue.js';
import type { Entry, EntryParts } from './sink.js';
import type { RowTotals } from './spool/row.ledger.js';
import type { Spool } from './spool/spool.js';
import type { SpoolSnapshot } from './spool/spool.options.js';

/** What the answer to a question for dead letters says of all rows of one. */
export interface LetterTraits {
  /** How they were sent. */
  readonly on_conflict?: 'replace' | 'keep';
}

/** How entries are put on disk, read back, and taken apart. */
export interface EntryCodec<T extends Entry, R> extends EntryParts<T, R> {
  /** The bytes of an entry, without its time of receipt. */
  encode(entry: T): readonly Buffer[];
  /** @throws Error when these are not the bytes of an entry */
  decode(payload: Buffer, time: number): T;
  /** The first `limit` rows of an entry, for people. */
  show(entry: T, limit: number): object[];
  /** What holds for all rows of an entry, for people. */
  describe?(entry: T): LetterTraits;
  /** When the entry was received: Unix epoch, microseconds. */
  timeOf(entry: T): number;
  /**
   * One entry in place of several that are given in the order of their receipt, as if all had been received with the
   * last; undefined when that is not the same. Without it every entry is written by itself.
   */
  join?(entries: readonly T[]): T | undefined;
  /** Told of an entry, as it was given, that is committed whole: nobody looks at it again. Its memory may be used again. */
  recycle?(entry: T): void;
}

/** Settings of a DurableCoordinator. */
export interface DurableCoordinatorOptions<T extends Entry, R> extends Omit<
  WriteCoordinatorOptions<T, R>,
  'parts'
> {
  readonly codec: EntryCodec<T, R>;
  readonly spool: Spool<T>;
  readonly deadLetters: DeadLetterQueue;
}

/** A durable coordinator at one moment; its queue is all that is to be written, on disk and in memory. */
export interface DurableSnapshot extends Omit<CoordinatorSnapshot, 'rows'> {
  readonly rows: RowTotals;
  readonly spool: SpoolSnapshot;
  /** Letters in the dead-letter queue. */
  readonly deadLetters: number;
  /** Letters that were found damaged and put aside since the start. */
  readonly damagedLetters: number;
}

/** How full the queue is at one moment. */
export type QueueLoad = Pick<DurableSnapshot, 'queueSize' | 'capacity' | 'utilization' | 'level'>;
