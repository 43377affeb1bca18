/** What the coordinator carries. It knows no more of an entry than its weight. */
export interface Entry {
  /** Rows in the entry, at least 1: the unit of capacity, watermarks and batch size. */
  readonly rows: number;
}

/** Where the workers write. */
export interface Sink<T extends Entry, R> {
  /**
   * Writes all entries in one transaction, in the given order, and resolves after the commit with one result
   * per entry, in the same order. Rejects when nothing, or nobody knows what, was committed; writing the same
   * entries again must then be harmless.
   */
  write(entries: readonly T[]): Promise<readonly R[]>;
}

/** How an entry is taken apart, so that one bad row does not keep the others from being written. */
export interface EntryParts<T extends Entry, R> {
  /** The rows before `row` and those from it on; 0 < row < rows. */
  split(entry: T, row: number): readonly [T, T];
  /** The result of an entry whose parts were written apart. */
  sum(results: readonly R[]): R;
}
