import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

import { expect, it } from '@jest/globals';

import { FAULTS } from '../../chaos/faults/index.js';
import { SCENARIOS } from '../../chaos/scenarios/index.js';
import { SmallDisk } from '../../chaos/small.disk.js';
import { describeUnless } from '../support/requirement.js';

const LIMIT_MS = 400_000;

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

async function expectKept(...options: string[]): Promise<void> {
  const { code, output } = await chaos(...options);
  expect(output).toContain('every promise was kept');
  expect(code).toBe(0);
}

const named = (smallDisks: boolean) =>
  FAULTS.filter((fault) => !fault.slow && (fault.smallDisks ?? false) === smallDisks).map(({ name }) => name);

it(
  'loses nothing that was acknowledged in 25 kills of the service',
  () => expectKept('--rounds', '25', '--seed', '2026', '--faults', 'kill-service'),
  LIMIT_MS,
);

it(
  'loses nothing whatever is done to the service, its database and the way between them',
  () => {
    const faults = named(false);
    return expectKept('--rounds', `${faults.length}`, '--seed', '7', '--faults', faults.join(','));
  },
  LIMIT_MS,
);

describeUnless(SmallDisk.obstacle(), 'with disks that can be full', () => {
  it(
    'loses nothing while the disk of the spool, or of the tables, has no room',
    () => expectKept('--rounds', '3', '--seed', '8', '--faults', named(true).join(',')),
    LIMIT_MS,
  );
});

it(
  'answers every request while two replicas are restarted in turn',
  () => expectKept('--scenario', 'rolling', '--rounds', '4', '--seed', '9'),
  LIMIT_MS,
);

it(
  'loses nothing while the database is away at full load, in bounded memory, and recovers at full speed',
  () => expectKept('--scenario', 'outage', '--seconds', '5', '--seed', '10'),
  LIMIT_MS,
);

it(
  'is ready soon with a large backlog, and does not read it into memory',
  () => expectKept('--scenario', 'backlog', '--mib', '300', '--seconds', '5', '--seed', '11'),
  LIMIT_MS,
);

it('says what it can do', async () => {
  const { code, output } = await chaos('--help');
  expect(code).toBe(0);
  for (const { name } of [...FAULTS, ...SCENARIOS]) expect(output).toContain(` ${name} `);
});
