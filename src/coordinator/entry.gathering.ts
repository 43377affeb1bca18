import type { EntryCodec } from './durable.options.js';
import type { Entry } from './sink.js';
import { Waiter } from './waiter.js';

/** An entry of more rows is worth a record of its own. */
const SMALL_ROWS = 64;
const MOST_ROWS = 1_024;
/** More would make the first of them wait for the last. */
const MOST_ENTRIES = 64;
/** Between the first and the last in a turn that was long, microseconds. */
const MOST_SPAN_US = 10_000;

/**
 * Puts small entries together that come within one turn of the event loop, or while the ones before are written: from
 * then on they cost little more than one. The disk takes them no later, unless something else waits for it already.
 */
export class EntryGathering<T extends Entry> {
  private entries: T[] = [];
  private waiters: Waiter<void>[] = [];
  private rows = 0;
  private turn: NodeJS.Immediate | undefined;
  /** Writes under way. */
  private writing = 0;

  constructor(
    private readonly codec: Pick<EntryCodec<T, unknown>, 'join' | 'timeOf'>,
    /** Rows that an entry should have at most. */
    private readonly limit: number,
    /** Resolves when the entry is safe. */
    private readonly write: (entry: T) => Promise<void>,
  ) {}

  /** Whether the entry may be put together with others. */
  takes({ rows }: T): boolean {
    return rows <= SMALL_ROWS && this.codec.join !== undefined;
  }

  /** Resolves when the entry is safe; rejects as the write does. */
  add(entry: T): Promise<void> {
    if (!this.hasRoom(entry)) this.flush();
    const waiter = new Waiter<void>();
    this.entries.push(entry);
    this.waiters.push(waiter);
    this.rows += entry.rows;
    this.turn ??= setImmediate(() => this.endTurn());
    return waiter.promise;
  }

  /** Has what came so far written, before anything that comes from now on. */
  flush(): void {
    const { entries, waiters } = this;
    if (entries.length === 0) return;
    clearImmediate(this.turn);
    this.turn = undefined;
    this.entries = [];
    this.waiters = [];
    this.rows = 0;
    try {
      const joined = entries.length > 1 ? this.codec.join?.(entries) : undefined;
      if (joined) this.settle(this.write(joined), waiters);
      else entries.forEach((entry, at) => this.settle(this.write(entry), waiters.slice(at, at + 1)));
    } catch (bug) {
      for (const waiter of waiters) waiter.reject(bug as Error);
    }
  }

  private hasRoom(entry: T): boolean {
    const [first = entry] = this.entries;
    const { codec, limit } = this;
    return (
      this.entries.length < MOST_ENTRIES &&
      this.rows + entry.rows <= Math.min(MOST_ROWS, limit) &&
      codec.timeOf(entry) - codec.timeOf(first) <= MOST_SPAN_US
    );
  }

  private endTurn(): void {
    this.turn = undefined;
    if (this.writing === 0) this.flush();
  }

  private settle(write: Promise<void>, waiters: readonly Waiter<void>[]): void {
    this.writing += 1;
    const end = (answer: (waiter: Waiter<void>) => void): void => {
      this.writing -= 1;
      // The disk gets the next ones before these are answered: it works meanwhile.
      if (this.writing === 0 && this.turn === undefined) this.flush();
      waiters.forEach(answer);
    };
    write.then(
      () => end((waiter) => waiter.resolve()),
      (error: unknown) => end((waiter) => waiter.reject(error as Error)),
    );
  }
}
