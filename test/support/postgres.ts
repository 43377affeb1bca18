import { chmod, mkdtemp, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import type * as Embedded from '../../src/database/embedded/index.js';

/** The built one: Jest does not map `.js` to `.ts` in a globalSetup. */
const BUILT = resolve('dist/src/database/embedded/index.js');

/** Speed for safety: a test's database need not outlive its machine. */
const UNSAFE_SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '200',
};

/** A real server for the suite. */
export interface TestCluster {
  readonly url: string;
  readonly server: Embedded.EmbeddedPostgres;
  /** Ends the server and removes its files. */
  readonly stop: () => Promise<void>;
}

/** Starts a PostgreSQL in a temporary directory, on any free port. */
export async function startTestCluster(): Promise<TestCluster> {
  const { EmbeddedPostgres } = (await import(BUILT)) as typeof Embedded;
  const directory = await makeOpenDirectory();
  // Port 0 is any free one: a service that is tried out meanwhile keeps the usual port.
  const server = new EmbeddedPostgres({
    directory,
    log: () => undefined,
    settings: UNSAFE_SETTINGS,
    preferredPort: 0,
  });
  const stop = async (): Promise<void> => {
    await server.stop();
    await removeDatabase(directory);
  };
  try {
    return { url: await server.start(), server, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A temporary directory that PostgreSQL's unprivileged user can enter when the tests run as root. */
export async function makeOpenDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mds-test-'));
  if (process.getuid?.() === 0) await chmod(directory, 0o711);
  return directory;
}

/** Removes a stopped database's directory, and its home elsewhere when it has one. */
export async function removeDatabase(directory: string): Promise<void> {
  const home = await readlink(join(directory, 'home')).catch(() => undefined);
  if (home !== undefined) await rm(home, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
}
