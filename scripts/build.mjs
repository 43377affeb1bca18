/**
 * Builds dist/ when a source has changed since the last build. The compiler writes into a folder beside it, which takes its
 * place when it is whole: a service that runs from dist/ keeps its files until then, and a build that fails changes
 * nothing.
 *
 *   node scripts/build.mjs           builds
 *   node scripts/build.mjs --start   the same before a start: builds nothing while a service has the data directory
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const OUT = 'dist';
const PROJECT = 'tsconfig.build.json';
/** What a build depends on beside the sources. */
const SETTINGS = ['package.json', 'package-lock.json', 'tsconfig.json', PROJECT];
/** Where the state of the sources stands that were built. */
const STAMP = '.sources';

const sources = sourcesOf(JSON.parse(readFileSync(PROJECT, 'utf8')).include);
const state = stateOf([...SETTINGS, ...sources]);
if (existsSync(join(OUT, STAMP)) && readFileSync(join(OUT, STAMP), 'utf8') === state) {
  process.stdout.write(`${OUT}/ is up to date\n`);
} else {
  if (process.argv.includes('--start')) await leaveRunningService();
  build();
}

function sourcesOf(places) {
  return places
    .flatMap((place) => (place.endsWith('.ts') ? [place] : filesBelow(place)))
    .filter((path) => path.endsWith('.ts'))
    .sort();
}

function filesBelow(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function stateOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(path)).update('\0');
  return hash.digest('hex');
}

function build() {
  removeLeftovers();
  const next = `${OUT}.${process.pid}.next`;
  // The compiler finds its state there and writes only what has changed.
  if (existsSync(OUT)) cpSync(OUT, next, { recursive: true, preserveTimestamps: true });
  const compiler = resolve('node_modules/typescript/bin/tsc');
  const options = ['-p', PROJECT, '--outDir', next, '--tsBuildInfoFile', join(next, '.tsbuildinfo')];
  const { status } = spawnSync(process.execPath, [compiler, ...options], { stdio: 'inherit' });
  if (status !== 0) {
    rmSync(next, { recursive: true, force: true });
    process.exit(status ?? 1);
  }
  removeStale(next);
  writeFileSync(join(next, STAMP), state);
  const old = `${OUT}.${process.pid}.old`;
  if (existsSync(OUT)) renameSync(OUT, old);
  renameSync(next, OUT);
  rmSync(old, { recursive: true, force: true });
}

/** The compiler leaves what it once made of sources that are gone. */
function removeStale(directory) {
  const known = new Set(sources);
  for (const path of filesBelow(directory)) {
    const made = /^(?<stem>.+)\.js(?:\.map)?$/.exec(relative(directory, path));
    if (made && !known.has(`${made.groups.stem}.ts`.split(sep).join('/'))) rmSync(path);
  }
}

/** What builds left that were killed. */
function removeLeftovers() {
  for (const name of readdirSync('.')) {
    const pid = /^dist\.(?<pid>\d+)\.(?:next|old)$/.exec(name)?.groups.pid;
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(name, { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Ends when a service has the data directory: it would keep the new one from starting after the build. */
async function leaveRunningService() {
  const built = (name) => pathToFileURL(resolve(OUT, 'src/config', name)).href;
  if (!existsSync(join(OUT, 'src/config/data-directory.lock.js'))) return;
  const { loadEnvironmentFile } = await import(built('environment.file.js'));
  const { dataDirectoryPath } = await import(built('data-directory.path.js'));
  const { DataDirectoryLock } = await import(built('data-directory.lock.js'));
  loadEnvironmentFile();
  const directory = dataDirectoryPath(process.env.MDS_DATA_DIR);
  const holder = existsSync(directory) ? await DataDirectoryLock.holder(directory) : undefined;
  if (holder === undefined) return;
  process.stderr.write(
    `nothing is built: the data directory ${directory} is in use by process ${holder}; stop it or set MDS_DATA_DIR to another directory\n`,
  );
  process.exit(1);
}
