import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

import { describe, it } from '@jest/globals';

/** Tests that need a program. Without it they are skipped, and say so; with MDS_TEST_NO_SKIP=1 that is a failure. */
export function describeWith(program: string, name: string, tests: () => void): void {
  if (isOnPath(program)) {
    describe(name, tests);
  } else if (process.env['MDS_TEST_NO_SKIP'] === '1') {
    it(`${name} (needs ${program})`, () => {
      throw new Error(`${program} is not on the PATH, and MDS_TEST_NO_SKIP=1 forbids to skip`);
    });
  } else {
    describe.skip(`${name} (skipped: ${program} is not on the PATH)`, tests);
  }
}

function isOnPath(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
