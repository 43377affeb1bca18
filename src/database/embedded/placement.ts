import { type Stats } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readlink, realpath, symlink } from 'node:fs/promises';
import { join } from 'node:path';

import { ClusterGoneError, ClusterOwnerError, ClusterUnreachableError } from './embedded.errors.js';
import { syncDirectory } from './sync.directory.js';
import { barrierOnWayTo, type SystemUser, unprivilegedUser } from './system.user.js';

/** Durable on every restart of the machine, unlike `/tmp`, and open to every user. */
const SHARED_PARENT = '/var/lib/market-data-store';

/** Where the cluster lives and who runs it. */
export interface Placement {
  /** Absolute path, free of links, of the directory that holds the cluster and the programs. */
  readonly home: string;
  /** Undefined: the user of this process. */
  readonly user: SystemUser | undefined;
}

/**
 * Finds the home of the cluster that belongs to `directory`, or a place for a new one: `directory` itself, or,
 * when the user as whom root runs PostgreSQL cannot get there, a new directory to which the link
 * `<directory>/home` then leads.
 */
export async function placeCluster(directory: string, log: (message: string) => void): Promise<Placement> {
  const root = process.getuid?.() === 0;
  await mkdir(directory, { recursive: true });
  await chmod(directory, root ? 0o711 : 0o700);
  const link = join(await realpath(directory), 'home');
  const target = await targetOf(link);
  const home = target ?? (await realpath(directory));
  const owner = await ownerOf(join(home, 'cluster'));

  if (!root) {
    if (owner !== undefined && owner.uid !== process.getuid?.()) throw new ClusterOwnerError(home, owner.uid);
    return { home, user: undefined };
  }
  if (owner?.uid === 0) throw new ClusterOwnerError(home, 0);
  const user = owner ?? (await unprivilegedUser());
  const barrier = await barrierOnWayTo(home, user);
  if (barrier === undefined) return { home, user };
  if (owner !== undefined || target !== undefined) {
    throw new ClusterUnreachableError(home, user.name, barrier);
  }
  const shared = await makeSharedHome(user);
  await symlink(shared, link);
  await syncDirectory(directory);
  log(`the database lives in ${shared}: PostgreSQL runs as ${user.name}, who cannot enter ${barrier}`);
  return { home: shared, user };
}

async function targetOf(link: string): Promise<string | undefined> {
  if ((await statIfThere(link)) === undefined) return undefined;
  return realpath(link).catch(async () => {
    // Beginning anew by ourselves would hide that every bar stored so far is missing.
    throw new ClusterGoneError(link, await readlink(link));
  });
}

async function ownerOf(cluster: string): Promise<SystemUser | undefined> {
  const found = await statIfThere(cluster);
  return found && { name: `user id ${found.uid}`, uid: found.uid, gid: found.gid };
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function makeSharedHome(user: SystemUser): Promise<string> {
  if ((await mkdir(SHARED_PARENT, { recursive: true })) !== undefined) await chmod(SHARED_PARENT, 0o711);
  const home = await realpath(await mkdtemp(join(SHARED_PARENT, 'postgres-')));
  await chmod(home, 0o711);
  await syncDirectory(SHARED_PARENT);
  const barrier = await barrierOnWayTo(home, user);
  if (barrier !== undefined) throw new ClusterUnreachableError(home, user.name, barrier);
  return home;
}
