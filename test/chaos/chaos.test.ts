import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

import { expect, it } from '@jest/globals';

/** Runs the harness as a user would. */
async function chaos(...options: string[]): Promise<{ code: unknown; output: string }> {
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

it('loses nothing that was acknowledged in 25 kills of the service', async () => {
  const { code, output } = await chaos('--rounds', '25', '--seed', '2026', '--faults', 'kill-service');
  expect(output).toContain('every promise was kept');
  expect(code).toBe(0);
}, 200_000);

it('loses nothing while the service and its database are killed, frozen, cut off and restarted', async () => {
  const { code, output } = await chaos('--rounds', '12', '--seed', '7');
  expect(output).toContain('every promise was kept');
  expect(code).toBe(0);
}, 200_000);
