/** There is no connection to the database yet; `cause` is the last reason why. */
export class DatabaseUnavailableError extends Error {
  /** The SQLSTATE of "client unable to establish connection", so that it is classified like one. */
  readonly code = '08001';

  constructor(cause: unknown) {
    super('the database has not been reached since the start', { cause });
    this.name = 'DatabaseUnavailableError';
  }
}

/** Work on a connection took too long and was given up; whether it was committed is not known. */
export class DatabaseTimeoutError extends Error {
  /** Classified like a network that does not answer. */
  readonly code = 'ETIMEDOUT';

  constructor(limitMs: number) {
    super(`the database did not finish within ${limitMs} ms`);
    this.name = 'DatabaseTimeoutError';
  }
}
