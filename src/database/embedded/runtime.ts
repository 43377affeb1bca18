import { randomBytes } from 'node:crypto';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';

import type { Binaries } from './binaries.js';

/** Where the programs that run the cluster are. */
export interface Runtime {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Puts a copy of the programs under `home`, unless an intact one of this version is there, and removes those of
 * other versions. A copy, because the package's own install script may not have made the libraries' links, and
 * because the user who runs the server may not be able to enter `node_modules`.
 */
export async function installRuntime(binaries: Binaries, home: string): Promise<Runtime> {
  const parent = join(home, 'runtime');
  const target = join(parent, `${basename(binaries.packageDirectory)}-${binaries.version}`);
  const source = join(binaries.packageDirectory, 'native');
  if (!(await isIntact(source, target))) {
    await makeDirectory(parent);
    const unfinished = join(parent, randomBytes(8).toString('hex'));
    await copyTree(source, unfinished);
    await makeLinks(binaries.packageDirectory, unfinished);
    await rm(target, { recursive: true, force: true });
    await rename(unfinished, target);
  }
  for (const name of await readdir(parent)) {
    if (name !== basename(target)) await rm(join(parent, name), { recursive: true, force: true });
  }
  return { initdb: join(target, 'bin', 'initdb'), postgres: join(target, 'bin', 'postgres') };
}

/** Modes are set and not taken over: a strict umask at install time must not shut the server's user out. */
async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o755);
}

async function copyTree(source: string, target: string): Promise<void> {
  await makeDirectory(target);
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) await copyTree(from, to);
    else if (entry.isSymbolicLink()) await symlink(await readlink(from), to);
    else {
      await copyFile(from, to);
      await chmod(to, basename(source) === 'bin' ? 0o755 : 0o644);
    }
  }
}

/** Makes the links that the package's install script would make; `pg-symlinks.json` names them from its root. */
async function makeLinks(packageDirectory: string, target: string): Promise<void> {
  const list = await readFile(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8').catch(
    ignore('ENOENT', '[]'),
  );
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    const at = join(target, relative('native', link.target));
    await symlink(relative(dirname(link.target), link.source), at).catch(ignore('EEXIST', undefined));
  }
}

/** A power cut after the rename can leave files empty: the copy counts only when every size is right. */
async function isIntact(source: string, target: string): Promise<boolean> {
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) {
      if (!(await isIntact(from, to))) return false;
    } else if (entry.isFile()) {
      const [wanted, found] = await Promise.all([lstat(from), lstat(to).catch(ignore('ENOENT', undefined))]);
      if (wanted.size !== found?.size) return false;
    }
  }
  return true;
}

function ignore<T>(code: string, instead: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === code) return instead;
    throw error;
  };
}
