/** There is no connection to the database yet; `cause` is the last reason why. */
export class DatabaseUnavailableError extends Error {
  /** The SQLSTATE of "client unable to establish connection", so that it is classified like one. */
  readonly code = '08001';

  constructor(cause: unknown) {
    super('the database has not been reached since the start', { cause });
    this.name = 'DatabaseUnavailableError';
  }
}
