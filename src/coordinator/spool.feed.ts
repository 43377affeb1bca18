import { setTimeout as sleep } from 'node:timers/promises';

import { CoordinatorStoppedError, WriteRefusedError } from './coordinator.errors.js';
import { DeadLetterQueue } from './dead-letters/dead.letter.queue.js';
import type { DeadLetterReason } from './dead-letters/dead.letter.js';
import type { DurableCoordinatorOptions } from './durable.options.js';
import { decodeWhole } from './entry.decoding.js';
import { sqlstateOf } from './failure.table.js';
import type { Entry } from './sink.js';
import type { SpoolItem } from './spool/spool.js';
import type { WriteCoordinator } from './write.coordinator.js';
import type { WriteObserver } from './write.observer.js';

const SECOND = 1000;

/** What a SpoolFeed works with. */
interface SpoolFeedOptions<T extends Entry, R> extends Pick<
  DurableCoordinatorOptions<T, R>,
  'id' | 'codec' | 'spool' | 'deadLetters'
> {
  readonly writes: WriteCoordinator<T, R>;
  readonly observer: Required<WriteObserver>;
  /** Ends the feed. */
  readonly signal: AbortSignal;
  /** True when somebody waits for the commit of this entry: it is written without waiting for company. */
  readonly isAwaited: (sequence: number) => boolean;
  /** `unqueuedRows` has changed. */
  readonly onUnqueued: () => void;
  /** The entry is written, but for so many rows that are dead letters now. */
  readonly onSettled: (sequence: number, deadRows: number) => void;
  /** What became of an entry that was given to the sink. */
  readonly onOutcome: (sequence: number, outcome: R | Error) => void;
}

type RecordOf<T> = Omit<SpoolItem<T>, 'content'>;

/** A record whose entry is being written. */
interface OpenRecord<T> extends RecordOf<T> {
  /** Rows of it that are dead letters. */
  deadRows: number;
  /** Rows of it that do not queue: written, refused, or outside memory. */
  unqueuedRows: number;
  /** The entry as it was given, while memory holds it. */
  given: T | undefined;
}

/** Takes entries out of the spool, in order, and has them written; rows that are refused become dead letters. */
export class SpoolFeed<T extends Entry, R> {
  private unqueued = 0;

  constructor(private readonly options: SpoolFeedOptions<T, R>) {}

  /** Rows that are not settled and do not queue: the rest of their record is still to be written. */
  get unqueuedRows(): number {
    return this.unqueued;
  }

  /** Resolves after the signal. */
  async run(): Promise<void> {
    const { spool, signal, observer } = this.options;
    let item: SpoolItem<T> | undefined;
    while (!signal.aborted) {
      try {
        item ??= await spool.next(signal);
        await this.deliver(item);
        item = undefined;
      } catch (error) {
        if (isAborted(signal)) return;
        observer.onFeedError(error);
        await sleep(SECOND, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  private async deliver(item: SpoolItem<T>): Promise<void> {
    const { codec, onSettled } = this.options;
    const { sequence, rows, time, content } = item;
    const entry = 'entry' in content ? content.entry : decodeWhole(codec, content.payload, item);
    if (entry instanceof Error) {
      await this.buryWhole(item, entry);
      onSettled(sequence, rows);
      return;
    }
    await this.write(
      { sequence, rows, time, deadRows: 0, unqueuedRows: 0, given: 'entry' in content ? entry : undefined },
      entry,
    );
  }

  /** `record` and not the item outlives the try: memory does not hold the entry while rows of it wait. */
  private async write(record: OpenRecord<T>, entry: T): Promise<void> {
    const { writes, codec, deadLetters, signal, isAwaited, onUnqueued } = this.options;
    const { outcome } = await writes.deliver(entry, {
      signal,
      flush: isAwaited(record.sequence),
      deadLetters: async (part, firstRow, error) => {
        for (const gap of deadLetters.uncovered(record, firstRow, part.rows)) {
          const payload = codec.encode(this.rowsOf(part, gap.firstRow - firstRow, gap.rows));
          await this.bury(record, gap.firstRow, gap.rows, payload, whyOf(error));
        }
        record.deadRows += part.rows;
      },
      source: {
        setAside: () => (record.given = undefined),
        unqueued: (rows) => {
          record.unqueuedRows += rows;
          this.unqueued += rows;
          onUnqueued();
        },
        read: () => this.readAgain(record),
      },
    });
    outcome.then(
      (result) => this.written(record, result),
      (error: unknown) => this.refused(record, error as Error),
    );
  }

  private async readAgain(record: RecordOf<T>): Promise<T> {
    const { spool, codec } = this.options;
    const entry = decodeWhole(codec, await spool.readAgain(record.sequence), record);
    if (entry instanceof Error) throw entry;
    return entry;
  }

  private written({ sequence, deadRows, unqueuedRows, given }: OpenRecord<T>, result: R): void {
    const { codec, onSettled, onOutcome } = this.options;
    this.unqueued -= unqueuedRows;
    onSettled(sequence, deadRows);
    if (given) codec.recycle?.(given);
    onOutcome(sequence, result);
  }

  private refused({ sequence, deadRows, unqueuedRows }: OpenRecord<T>, error: Error): void {
    this.unqueued -= unqueuedRows;
    // Anything else left rows unwritten: the entry stays in the spool, and is written after the next start.
    if (error instanceof WriteRefusedError && error.reason !== 'worker_bug')
      this.options.onSettled(sequence, deadRows);
    this.options.onOutcome(sequence, error);
  }

  private rowsOf(entry: T, first: number, rows: number): T {
    const { codec } = this.options;
    return rows === entry.rows ? entry : codec.slice(entry, first, first + rows);
  }

  private async buryWhole(item: SpoolItem<T>, error: Error): Promise<void> {
    const payload = 'payload' in item.content ? [item.content.payload] : [];
    const why = { reason: 'undecodable', sqlstate: undefined, detail: error.message };
    await this.bury(item, 0, item.rows, payload, why);
  }

  /** Tries until it is safe: a full disk is no reason to lose rows, and the entry stays in the spool meanwhile. */
  private async bury(
    item: RecordOf<T>,
    firstRow: number,
    rows: number,
    payload: readonly Buffer[],
    why: DeadLetterReason,
  ): Promise<void> {
    const { deadLetters, observer, signal } = this.options;
    const id = DeadLetterQueue.idOf(item, firstRow);
    const letter = { id, rows, time: item.time, refusedAt: Date.now(), payload, ...why };
    for (;;) {
      try {
        await deadLetters.add(letter);
        observer.onDeadLetter(id, rows, why.reason);
        return;
      } catch (error) {
        observer.onFeedError(error);
      }
      await sleep(SECOND, undefined, { signal }).catch(() => {
        throw new CoordinatorStoppedError(this.options.id, rows, false);
      });
    }
  }
}

/** A function, as the signal changes while others are awaited. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function whyOf(error: WriteRefusedError): DeadLetterReason {
  const { cause } = error;
  return {
    reason: error.reason,
    sqlstate: sqlstateOf(cause),
    detail: cause instanceof Error ? cause.message : error.message,
  };
}
