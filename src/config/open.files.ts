import { readFileSync } from 'node:fs';

/** Where the limit cannot be read: what most systems grant at least. */
const USUAL_LIMIT = 1_024;
const LIMIT = /^Max open files +(\d+|unlimited)/m;

/** Files beside connections to the database and of clients: the spool, the dead letters, libraries, Node's own. */
const OWN_FILES = 128;
/** Least connections of clients, whatever the limit is. */
const LEAST_CONNECTIONS = 16;
/** Most connections of clients, whatever the limit is: each takes about 10 KiB of memory while it is idle. */
const MOST_CONNECTIONS = 16_384;

/** How many files this process may have open; sockets count. */
export function openFilesLimit(): number {
  try {
    const limit = LIMIT.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === 'unlimited' ? Infinity : Number(limit ?? USUAL_LIMIT);
  } catch {
    return USUAL_LIMIT;
  }
}

/**
 * How many clients may be connected at once: what the files of the service and its connections to the database leave.
 * @param limit most open files
 * @param databaseConnections most connections to the database
 */
export function mostConnections(limit: number, databaseConnections: number): number {
  const left = limit - OWN_FILES - databaseConnections;
  return Math.min(MOST_CONNECTIONS, Math.max(LEAST_CONNECTIONS, left));
}
