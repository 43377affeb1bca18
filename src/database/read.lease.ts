import type { PoolClient } from 'pg';

/** A connection that one reader has for as long as it reads. */
export interface ReadLease {
  readonly client: PoolClient;
  /** Gives the connection back; discards it when the reading did not come to its end. */
  release(finished: boolean): void;
}

/** Makes a lease that ends at once, whatever the connection is doing, when `signal` aborts. */
export function leaseOf(client: PoolClient, signal: AbortSignal, onRelease: () => void): ReadLease {
  // A connection cut while nobody queries on it emits `error`; unheard, it would end the process.
  const ignore = () => undefined;
  client.on('error', ignore);
  let released = false;
  const release = (finished: boolean): void => {
    if (released) return;
    released = true;
    signal.removeEventListener('abort', abort);
    // The listener of a discarded connection stays: what it was doing still fails.
    if (finished) client.off('error', ignore);
    client.release(!finished);
    onRelease();
  };
  const abort = (): void => release(false);
  signal.addEventListener('abort', abort);
  return { client, release };
}
