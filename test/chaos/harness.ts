import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

import { expect } from '@jest/globals';

/** Runs the harness as a user would. */
export async function chaos(...options: string[]): Promise<{ code: unknown; output: string }> {
  const child = spawn(process.execPath, [resolve('dist/chaos/main.js'), ...options], {
    cwd: tmpdir(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as unknown[];
  return { code, output };
}

/** Expects that a run of the harness finds nothing. */
export async function expectKept(...options: string[]): Promise<void> {
  const { code, output } = await chaos(...options);
  expect(output).toContain('every promise was kept');
  expect(code).toBe(0);
}
