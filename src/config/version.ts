import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Name of the service in health, logs and documentation. */
export const SERVICE = 'market-data-store';

/** Version of the package that runs. */
export const VERSION = readVersion();

/** The package file lies above this one, at a depth that differs between sources and build. */
function readVersion(): string {
  for (let directory = import.meta.dirname; ; directory = join(directory, '..')) {
    try {
      const text = readFileSync(join(directory, 'package.json'), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch (error) {
      if (directory === join(directory, '..')) throw error;
    }
  }
}
