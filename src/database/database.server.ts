import type { StopRequest } from '../config/stop.request.js';
import { EmbeddedPostgres, StartCancelledError } from './embedded/index.js';

/** The part of the time that is left in which the server must have ended. */
const END_SHARE = 0.8;

/** Where the database is to be. */
export interface DatabaseServerOptions {
  /** Undefined: start an embedded server. */
  readonly url: string | undefined;
  readonly adminUrl: string | undefined;
  readonly embeddedDirectory: string;
  readonly log: (message: string) => void;
  /** Ends the start of an embedded server. */
  readonly stop: StopRequest;
}

/** The PostgreSQL server: one that is there, or an embedded one that lives as long as the service. */
export class DatabaseServer {
  private constructor(
    /** For the service's own work. */
    readonly url: string,
    /** For migrations and data lifecycle. */
    readonly adminUrl: string,
    private readonly release: (patienceMs: number) => Promise<void>,
  ) {}

  /** @throws StartCancelledError when the service is to stop before an embedded server runs; nothing of it is left then */
  static async start(options: DatabaseServerOptions): Promise<DatabaseServer> {
    if (options.url !== undefined) {
      return new DatabaseServer(options.url, options.adminUrl ?? options.url, () => Promise.resolve());
    }
    const { stop } = options;
    if (stop.signal.aborted) throw new StartCancelledError();
    const embedded = new EmbeddedPostgres({ directory: options.embeddedDirectory, log: options.log });
    const cancel = (): void => {
      // The caller of start() gets the outcome.
      embedded.stop(stop.leftMs * END_SHARE).catch(() => undefined);
    };
    stop.signal.addEventListener('abort', cancel);
    try {
      const url = await embedded.start();
      return new DatabaseServer(url, url, (patienceMs) => embedded.stop(patienceMs));
    } finally {
      stop.signal.removeEventListener('abort', cancel);
    }
  }

  /** Stops the embedded server, which is killed after so many milliseconds; leaves any other alone. */
  async stop(patienceMs: number): Promise<void> {
    await this.release(patienceMs);
  }
}
