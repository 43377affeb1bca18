/** The coordinator does not run, so the entry was not taken, or it stopped before the entry was surely written. */
export class CoordinatorStoppedError extends Error {
  override readonly name = 'CoordinatorStoppedError';

  /**
   * `rows` is the weight of the entry. `outcomeUnknown` is true when a write of it had begun: it may have been
   * committed, and sending it again is the way to be sure.
   */
  constructor(
    readonly coordinatorId: string,
    readonly rows: number,
    readonly outcomeUnknown: boolean,
  ) {
    super(
      outcomeUnknown
        ? `coordinator ${coordinatorId} stopped while it wrote ${rows} rows: nobody knows whether they were committed`
        : `coordinator ${coordinatorId} is not running: ${rows} rows were not written`,
    );
  }
}

/** The sink refused an entry, alone, and trying again would not help. */
export class WriteRefusedError extends Error {
  override readonly name = 'WriteRefusedError';

  /** `rows` is the weight of the entry, `reason` the failure's name in the failure table; the cause says more. */
  constructor(
    readonly rows: number,
    readonly reason: string,
    cause: unknown,
  ) {
    super(`${rows} rows were refused by the sink: ${reason}`, { cause });
  }
}
