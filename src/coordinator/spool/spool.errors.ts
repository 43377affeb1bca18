/** The spool has no room: its quota is used up by entries not settled yet, or the disk is full. */
export class SpoolFullError extends Error {
  override readonly name = 'SpoolFullError';

  /** Both in bytes; `cause` is the disk's own word, when it was the disk. */
  constructor(
    readonly bytes: number,
    readonly maxBytes: number,
    cause?: unknown,
  ) {
    super(
      cause === undefined
        ? `the spool holds ${bytes} of ${maxBytes} bytes that are not settled yet`
        : 'the disk of the spool is full',
      { cause },
    );
  }
}

/** The spool cannot be written: the disk failed, or does not answer. */
export class SpoolUnavailableError extends Error {
  override readonly name = 'SpoolUnavailableError';

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
  }
}

/** Too many bytes wait for the disk already. */
export class SpoolBusyError extends Error {
  override readonly name = 'SpoolBusyError';

  constructor(readonly waitingBytes: number) {
    super(`${waitingBytes} bytes wait to be written to the spool`);
  }
}
