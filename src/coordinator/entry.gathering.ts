import type { EntryCodec } from './durable.options.js';
import type { Entry } from './sink.js';
import { Waiter } from './waiter.js';

/** An entry of more rows is worth a record of its own. */
const SMALL_ROWS = 64;
const MOST_ROWS = 1_024;
/** More would leave nothing to do while they are written: clients that wait for their answers send nothing meanwhile. */
const MOST_ENTRIES = 32;

/**
 * Puts small entries that come within one turn of the event loop together: from then on they cost little more than one.
 * What becomes of one becomes of all.
 */
export class EntryGathering<T extends Entry> {
  private entries: T[] = [];
  private rows = 0;
  private safe = new Waiter<void>();
  private turn: NodeJS.Immediate | undefined;

  constructor(
    private readonly codec: Pick<EntryCodec<T, unknown>, 'join'>,
    /** Rows that an entry may have. */
    private readonly capacity: number,
    /** Resolves when the entry is safe. */
    private readonly write: (entry: T) => Promise<unknown>,
  ) {}

  /** Whether the entry may be put together with others. */
  takes({ rows }: T): boolean {
    return rows <= SMALL_ROWS && this.codec.join !== undefined;
  }

  /** Resolves when the entry is safe, with all that it was put together with; rejects as the write does. */
  add(entry: T): Promise<void> {
    const isFull = this.entries.length >= MOST_ENTRIES;
    if (isFull || this.rows + entry.rows > Math.min(MOST_ROWS, this.capacity)) this.flush();
    this.entries.push(entry);
    this.rows += entry.rows;
    this.turn ??= setImmediate(() => this.flush());
    return this.safe.promise;
  }

  /** Has what came so far written, before anything that comes from now on. */
  flush(): void {
    const { entries, safe } = this;
    if (entries.length === 0) return;
    clearImmediate(this.turn);
    this.turn = undefined;
    this.entries = [];
    this.rows = 0;
    this.safe = new Waiter<void>();
    const joined = entries.length > 1 ? this.codec.join?.(entries) : undefined;
    const writes = (joined === undefined ? entries : [joined]).map((entry) => this.write(entry));
    Promise.all(writes).then(
      () => safe.resolve(),
      (error: unknown) => safe.reject(error as Error),
    );
  }
}
