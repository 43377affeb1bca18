import { patienceOf, StartCancelledError } from './embedded.errors.js';
import { type EmbeddedPostgresOptions, openSession, type ServerSession } from './server.session.js';

type State =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'starting'; readonly abort: AbortController; readonly done: Promise<string> }
  | { readonly kind: 'running'; readonly session: ServerSession }
  | { readonly kind: 'stopping'; readonly done: Promise<void> };

/** A PostgreSQL server of the service's own, from the binaries of an optional npm package. */
export class EmbeddedPostgres {
  private state: State = { kind: 'stopped' };

  constructor(private readonly options: EmbeddedPostgresOptions) {}

  /** Process id of the server; undefined while there is none. */
  get pid(): number | undefined {
    return this.state.kind === 'running' ? this.state.session.pid() : undefined;
  }

  /**
   * Starts the server, or joins a start under way.
   * @returns the connection URL of its database, with the password
   * @throws EmbeddedPostgresError, or DataDirectoryInUseError when another process has the directory
   */
  async start(): Promise<string> {
    switch (this.state.kind) {
      case 'running':
        return this.state.session.url;
      case 'starting':
        return this.state.done;
      case 'stopping':
        await this.state.done;
        return this.start();
      case 'stopped':
        return this.begin();
    }
  }

  /**
   * Ends the server, or a start in flight; nothing of it is left running. Harmless when repeated.
   * @param patienceMs milliseconds after which what has not ended is killed; undefined: as long as it takes in order
   */
  async stop(patienceMs?: number): Promise<void> {
    switch (this.state.kind) {
      case 'stopped':
        return;
      case 'stopping':
        return this.state.done;
      case 'starting':
        this.state.abort.abort(new StartCancelledError(patienceMs));
        return this.finish(this.state.done.then(ignore, ignore));
      case 'running':
        return this.finish(this.state.session.end(patienceMs));
    }
  }

  private begin(): Promise<string> {
    const abort = new AbortController();
    const done = this.open(abort.signal);
    this.state = { kind: 'starting', abort, done };
    return done;
  }

  private async open(signal: AbortSignal): Promise<string> {
    try {
      const session = await openSession(this.options, signal);
      if (signal.aborted) {
        await session.end(patienceOf(signal));
        throw new StartCancelledError();
      }
      this.state = { kind: 'running', session };
      return session.url;
    } catch (error) {
      // A stop() that cut the start short says itself when it is over.
      if (!signal.aborted) this.state = { kind: 'stopped' };
      throw error;
    }
  }

  private finish(ending: Promise<void>): Promise<void> {
    const done = ending.finally(() => (this.state = { kind: 'stopped' }));
    this.state = { kind: 'stopping', done };
    return done;
  }
}

function ignore(): void {
  // The caller of start() gets the outcome.
}
