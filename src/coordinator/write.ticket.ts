import type { WriteRefusedError } from './coordinator.errors.js';
import type { Entry } from './sink.js';
import { Waiter } from './waiter.js';

/** A part of an entry; the whole of it as long as nothing was found wrong with it. */
export interface Part<T extends Entry, R> {
  readonly ticket: WriteTicket<T, R>;
  readonly entry: T;
  /** Row of the ticket's entry with which the part begins, from 0. */
  readonly firstRow: number;
}

/** Takes rows that the sink refused; resolves when they are safe. */
export type DeadLetterSink<T extends Entry> = (
  entry: T,
  firstRow: number,
  error: WriteRefusedError,
) => Promise<void>;

/** Told of each part's outcome, once. */
export interface Settlement<T extends Entry, R> {
  /** The sink committed the parts; results are in the same order. */
  committed(parts: readonly Part<T, R>[], results: readonly R[]): void;
  /** The sink refused this part alone. Resolves when it is taken care of. */
  refused(part: Part<T, R>, error: WriteRefusedError): Promise<void>;
}

/** An entry on its way through the coordinator, with the promise that its submitter holds. */
export class WriteTicket<T extends Entry, R> extends Waiter<R> implements Entry {
  /** Weight of the entry when it was submitted. */
  readonly rows: number;
  /** What the sink said of each part that it committed. */
  readonly results: R[] = [];
  committedRows = 0;
  refusedRows = 0;
  /** Why rows were refused, the first time. */
  refusal: WriteRefusedError | undefined;

  constructor(
    readonly entry: T,
    /** Undefined: an entry of which a row is refused is refused whole. */
    readonly deadLetters?: DeadLetterSink<T>,
  ) {
    super();
    this.rows = entry.rows;
  }

  /** The entry as one part. */
  whole(): Part<T, R> {
    return { ticket: this, entry: this.entry, firstRow: 0 };
  }

  /** Rows of which nothing is known yet. */
  get pendingRows(): number {
    return this.rows - this.committedRows - this.refusedRows;
  }
}
