import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { findProgram } from '../../bench/process/program.js';

/** The compiler of TypeScript leaves it beside the sources. */
const [SOURCE = ''] = ['harm.c', '../../../chaos/preload/harm.c']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .filter((path) => existsSync(path));

/** Compiles the library that is preloaded into the services. @returns its path, in the directory */
export function buildHarmLibrary(directory: string): string {
  const path = join(directory, 'harm.so');
  const flags = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-O2', '-shared', '-fPIC'];
  execFileSync('cc', [...flags, '-o', path, SOURCE, '-ldl'], { stdio: 'pipe' });
  return path;
}

/** Why the library cannot be had here; undefined when it can. Waits, because tests are named before they run. */
export function harmLibraryObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'a library is preloaded on Linux only';
  if (findProgram('cc') === undefined) return 'there is no C compiler (cc)';
  const directory = mkdtempSync(join(tmpdir(), 'mds-harm-'));
  try {
    buildHarmLibrary(directory);
    return undefined;
  } catch (error) {
    return `the library does not compile (${(error as Error).message.trim().split('\n').at(-1)})`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
