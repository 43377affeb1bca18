import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

import { describe, it } from '@jest/globals';

/** Set where no test may be skipped, as in CI: a program that is missing is then a failure. */
const NO_SKIP = 'MDS_TEST_NO_SKIP';

/**
 * `it` for a test that needs a program on the PATH. Without the program the test is reported as skipped, with the
 * reason in its name.
 * @param origin where to get the program
 */
export function itWith(program: string, origin: string): (name: string, test: () => Promise<void>) => void {
  if (isInstalled(program)) return it;
  const reason = `${program} is not installed (${origin})`;
  if (process.env[NO_SKIP] === '1') {
    return (name) => {
      it(name, () => {
        throw new Error(`${reason}, and ${NO_SKIP}=1 lets no test be skipped`);
      });
    };
  }
  return (name) => {
    it.skip(`${name} [skipped: ${reason}]`, () => undefined);
  };
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** `describe` for tests that need a program on the PATH; without it as `itWith` does. */
export function describeWith(program: string, name: string, tests: () => void): void {
  describeUnless(isInstalled(program) ? undefined : `${program} is not installed (see .ci/run)`, name, tests);
}

/** `describe` for tests that something may make impossible here; then they are reported as skipped with this reason. */
export function describeUnless(obstacle: string | undefined, name: string, tests: () => void): void {
  if (obstacle === undefined) {
    describe(name, tests);
  } else if (process.env[NO_SKIP] === '1') {
    it(name, () => {
      throw new Error(`${obstacle}, and ${NO_SKIP}=1 lets no test be skipped`);
    });
  } else {
    // Jest fails a file without a test.
    describe.skip(`${name} [skipped: ${obstacle}]`, tests);
  }
}
