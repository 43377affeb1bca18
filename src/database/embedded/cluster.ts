import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { SECOND } from '../../config/units.js';
import { ClusterVersionError, patienceOf, ServerStartError, StartCancelledError } from './embedded.errors.js';
import type { Placement } from './placement.js';
import type { Runtime } from './runtime.js';
import { spawnProgram } from './spawn.program.js';
import { syncDirectory } from './sync.directory.js';

const INITDB_PATIENCE_MS = 10 * SECOND;
const UNFINISHED = /^cluster\.[0-9a-f]+\.tmp$/;

/** The role that owns everything in the cluster. */
export const ROLE = 'mds';

/** A database cluster on disk. */
export interface Cluster {
  /** Absolute path of PostgreSQL's data directory. */
  readonly dataDirectory: string;
  /** Password of the role `mds`; safe in a URL as it is. */
  readonly password: string;
}

/**
 * Opens the cluster in the home, or makes one: UTF-8, locale C, one role with a random password.
 * @throws ClusterVersionError when another major version of PostgreSQL made it.
 */
export async function openCluster(
  { home, user }: Placement,
  runtime: Runtime,
  major: number,
  signal: AbortSignal,
): Promise<Cluster> {
  const path = join(home, 'cluster');
  const names = await readdir(home);
  for (const name of names.filter((candidate) => UNFINISHED.test(candidate))) {
    await rm(join(home, name), { recursive: true, force: true, maxRetries: 5 });
  }
  if (!names.includes('cluster')) await makeCluster({ home, user }, runtime, signal);

  const dataDirectory = join(path, 'data');
  const found = Number.parseInt(await readFile(join(dataDirectory, 'PG_VERSION'), 'utf8'), 10);
  if (found !== major) throw new ClusterVersionError(dataDirectory, found, major);
  return { dataDirectory, password: (await readFile(join(path, 'password'), 'utf8')).trim() };
}

/** Makes the cluster beside its place and moves it there whole: a kill in the middle leaves no half cluster. */
async function makeCluster({ home, user }: Placement, runtime: Runtime, signal: AbortSignal): Promise<void> {
  const unfinished = join(home, `cluster.${randomBytes(8).toString('hex')}.tmp`);
  const passwordFile = join(unfinished, 'password');
  const dataDirectory = join(unfinished, 'data');
  await mkdir(unfinished, { mode: 0o700 });
  await writeFile(passwordFile, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flush: true });
  await mkdir(dataDirectory, { mode: 0o700 });
  if (user !== undefined) {
    for (const path of [dataDirectory, passwordFile, unfinished]) await chown(path, user.uid, user.gid);
  }
  const args = [
    ...['-D', dataDirectory, '-U', ROLE, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
    ...['--encoding=UTF8', '--locale=C', '--no-instructions'],
  ];
  const initdb = await spawnProgram(runtime.initdb, args, { cwd: home, user });
  let timer: NodeJS.Timeout | undefined;
  const cancel = (): void => {
    initdb.killGroup('SIGTERM');
    // One that is suspended does not hear it.
    timer = setTimeout(() => initdb.killGroup('SIGKILL'), (patienceOf(signal) ?? INITDB_PATIENCE_MS) / 2);
  };
  signal.addEventListener('abort', cancel);
  if (signal.aborted) cancel();
  const how = await initdb.exited;
  clearTimeout(timer);
  signal.removeEventListener('abort', cancel);
  if (how !== 'exit code 0') {
    await rm(unfinished, { recursive: true, force: true, maxRetries: 5 });
    if (signal.aborted) throw new StartCancelledError();
    throw new ServerStartError(`initdb ended with ${how}: ${initdb.output()}`);
  }
  await rename(unfinished, join(home, 'cluster'));
  await syncDirectory(home);
}
