/** Another live process holds the data directory. */
export class DataDirectoryInUseError extends Error {
  constructor(
    /** Absolute path of the data directory. */
    readonly path: string,
    /** Process id of the holder. */
    readonly pid: number,
  ) {
    super(
      `the data directory ${path} is in use by process ${pid}; stop it or set MDS_DATA_DIR to another directory`,
    );
    this.name = 'DataDirectoryInUseError';
  }
}

/** The data directory cannot be made, or cannot carry a lock. */
export class DataDirectoryUnusableError extends Error {
  constructor(
    /** Absolute path of the data directory. */
    readonly path: string,
    why: string,
    options?: ErrorOptions,
  ) {
    super(`the data directory ${path} cannot be used: ${why}`, options);
    this.name = 'DataDirectoryUnusableError';
  }
}
