/** The queue has no room for an entry. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';

  /** All in rows: held by the queue now, its capacity, the weight of the refused entry. */
  constructor(
    readonly size: number,
    readonly capacity: number,
    readonly rows: number,
  ) {
    super(
      rows > capacity
        ? `an entry of ${rows} rows can never fit into a queue of ${capacity} rows`
        : `no room for ${rows} rows: the queue holds ${size} of ${capacity} rows`,
    );
  }

  /** False when the entry is larger than the whole capacity, so that trying again cannot help. */
  get retryable(): boolean {
    return this.rows <= this.capacity;
  }
}

/** The queue is closed and takes no more entries. */
export class QueueClosedError extends Error {
  override readonly name = 'QueueClosedError';

  /** `rows` is the weight of the refused entry. */
  constructor(readonly rows: number) {
    super(`the queue is closed: ${rows} rows were not taken`);
  }
}
