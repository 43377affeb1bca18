import { EmbeddedPostgres } from './embedded/index.js';

/** Where the database is to be. */
export interface DatabaseServerOptions {
  /** Undefined: start an embedded server. */
  readonly url: string | undefined;
  readonly adminUrl: string | undefined;
  readonly embeddedDirectory: string;
  readonly log: (message: string) => void;
}

/** The PostgreSQL server: one that is there, or an embedded one that lives as long as the service. */
export class DatabaseServer {
  private constructor(
    /** For the service's own work. */
    readonly url: string,
    /** For migrations and data lifecycle. */
    readonly adminUrl: string,
    private readonly release: () => Promise<void>,
  ) {}

  static async start(options: DatabaseServerOptions): Promise<DatabaseServer> {
    if (options.url !== undefined) {
      return new DatabaseServer(options.url, options.adminUrl ?? options.url, () => Promise.resolve());
    }
    const embedded = new EmbeddedPostgres({ directory: options.embeddedDirectory, log: options.log });
    const url = await embedded.start();
    return new DatabaseServer(url, url, () => embedded.stop());
  }

  /** Stops the embedded server; leaves any other alone. */
  async stop(): Promise<void> {
    await this.release();
  }
}
