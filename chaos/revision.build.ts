import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The project, from where this file is built to. */
const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const LOCK_FILE = 'package-lock.json';
/** A build or an installation takes a minute on a busy machine. */
const LIMIT_MS = 10 * 60_000;

/**
 * Builds the service as it was at a revision, in a directory of its own. It gets the packages of this project when it
 * asks for the same ones, and others from npm's cache.
 * @returns the path of its main file
 */
export async function buildRevision(revision: string, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  await extract(revision, directory);
  const [ours, theirs] = await Promise.all(
    [PROJECT, directory].map((place) => readFile(join(place, LOCK_FILE), 'utf8')),
  );
  if (ours === theirs) await symlink(join(PROJECT, 'node_modules'), join(directory, 'node_modules'));
  else
    await run('npm', ['ci', '--prefer-offline', '--ignore-scripts'], { cwd: directory, timeout: LIMIT_MS });
  const compiler = join(directory, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: directory, timeout: LIMIT_MS });
  return join(directory, 'dist/src/main.js');
}

/** The revision as its hash, such as 9ce568a. @throws when there is none */
export async function resolveRevision(revision: string): Promise<string> {
  const { stdout } = await run('git', ['rev-parse', '--short', '--verify', `${revision}^{commit}`], {
    cwd: PROJECT,
  });
  return stdout.trim();
}

async function extract(revision: string, directory: string): Promise<void> {
  const archive = join(directory, 'revision.tar');
  await run('git', ['archive', '--output', archive, revision], { cwd: PROJECT });
  await run('tar', ['-xf', archive], { cwd: directory });
  await rm(archive);
}
