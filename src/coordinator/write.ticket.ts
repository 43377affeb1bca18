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

/** Rows of an entry that wait outside memory. */
export interface AsidePart<T extends Entry, R> {
  readonly ticket: WriteTicket<T, R>;
  /** Row of the ticket's entry with which they begin, from 0. */
  readonly firstRow: number;
  readonly rows: number;
}

/** Where an entry is safe, so that memory need not hold it while rows of it wait. */
export interface EntrySource<T extends Entry> {
  /** Memory holds the entry no longer. */
  setAside(): void;
  /**
   * So many rows more of it do not queue, though it is not settled: they are written or refused, or are outside memory.
   * Negative when they queue again.
   */
  unqueued(rows: number): void;
  /** The whole entry again. Rejects when it cannot be read now. */
  read(): Promise<T>;
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
  /** The part waits outside memory: its rows take no room in the queue. */
  setAside(part: Part<T, R>): AsidePart<T, R>;
  /** It is in memory again. */
  broughtBack(part: AsidePart<T, R>): void;
}

/** An entry on its way through the coordinator, with the promise that its submitter holds. */
export class WriteTicket<T extends Entry, R> extends Waiter<R> implements Entry {
  /** Weight of the entry when it was submitted. */
  readonly rows: number;
  /** What the sink said of each part that it committed. */
  readonly results: R[] = [];
  committedRows = 0;
  refusedRows = 0;
  private asideRows = 0;
  private entry: T | undefined;
  /** Why rows were refused, the first time. */
  refusal: WriteRefusedError | undefined;

  constructor(
    entry: T,
    /** Undefined: an entry of which a row is refused is refused whole. */
    readonly safe?: { readonly deadLetters: DeadLetterSink<T>; readonly source: EntrySource<T> },
  ) {
    super();
    this.entry = entry;
    this.rows = entry.rows;
  }

  /** The entry as one part, once: from then on memory holds only the parts that are tried. */
  takeWhole(): Part<T, R> {
    const { entry } = this;
    if (!entry) throw new Error('the entry was taken already');
    this.entry = undefined;
    return { ticket: this, entry, firstRow: 0 };
  }

  /** Rows of it wait outside memory. */
  setAside(rows: number): void {
    this.asideRows += rows;
    this.safe?.source.setAside();
  }

  /** Rows of it that waited outside memory, `rows` or all of them, do so no longer. */
  bringBack(rows = this.asideRows): number {
    this.asideRows -= rows;
    return rows;
  }

  /** Rows of which nothing is known yet. */
  get pendingRows(): number {
    return this.rows - this.committedRows - this.refusedRows;
  }
}
