/** What the coordinator carries. It knows no more of an entry than its weight. */
export interface Entry {
  /** Rows in the entry, at least 1: the unit of capacity, watermarks and batch size. */
  readonly rows: number;
}

/** Where the workers write. */
export interface Sink<T extends Entry, R> {
  /**
   * Writes all entries in one transaction, or in a few, and resolves after the last commit with one result per entry, in
   * the same order. Rejects when not all were committed, or nobody knows what was; writing the same entries again must
   * then be harmless.
   */
  write(entries: readonly T[]): Promise<readonly R[]>;

  /**
   * Finds out, in a transaction that is rolled back, whether the store takes others than these entries, which it
   * refused just now: the proof without which no row becomes a dead letter. Rejects when the store cannot be asked. A
   * sink without it proves that only by a commit of other entries.
   */
  takesOthers?(refused: readonly T[]): Promise<Takes>;

  /**
   * Tries each entry by itself, in one transaction that is rolled back, and resolves with the error of each that would
   * be refused, in the same order. What it lets pass may still be refused by `write`. For entries of one row: a few
   * hundred cost about as much as a few writes. Without it bad rows are found by halving alone.
   */
  tryEach?(entries: readonly T[]): Promise<readonly (Error | undefined)[]>;
}

/** What a store takes besides entries that it refused. */
export interface Takes {
  /** Rows of their kind, of the same partition for example. Undefined: there was none to try. */
  readonly alike: boolean | undefined;
  /** Rows of any kind, in the same way. */
  readonly any: boolean | undefined;
}

/** How an entry is taken apart, so that one bad row does not keep the others from being written. */
export interface EntryParts<T extends Entry, R> {
  /** The rows from `from` up to `end`, excluding `end`; 0 <= from < end <= rows. */
  slice(entry: T, from: number, end: number): T;
  /**
   * The kinds of an entry's rows, in their order, such as the partitions that they belong to: the store may take one kind
   * and not another. Without it all rows are of one kind.
   */
  kinds?(entry: T): Iterable<KindRun>;
  /** The result of an entry whose parts were written apart. */
  sum(results: readonly R[]): R;
}

/** Neighbouring rows of one kind. */
export interface KindRun {
  readonly kind: number;
  readonly rows: number;
}
