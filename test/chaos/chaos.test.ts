import { expect, it } from '@jest/globals';

import { FAULTS } from '../../chaos/faults/index.js';
import { PgBouncer } from '../../chaos/pgbouncer.js';
import { harmLibraryObstacle } from '../../chaos/preload/harm-library.build.js';
import { SCENARIOS } from '../../chaos/scenarios/index.js';
import { SmallDisk } from '../../chaos/small.disk.js';
import { describeUnless } from '../support/requirement.js';
import { chaos, expectKept } from './harness.js';

/** What takes longest, or needs what not every machine has; a run by hand has all of them. */
const ELSEWHERE = [
  ...[
    'older-copy',
    'hot-key',
    'kill-in-migration',
    'removed-spool',
    'kill-in-replay',
    'large-body',
    'locked',
  ],
  ...['lock-timeout', 'statement-timeout', 'detached-partition', 'kill-in-dead-letter-replay', 'limit'],
];

const simple = FAULTS.filter(({ name, slow, needs }) => !slow && !needs && !ELSEWHERE.includes(name)).map(
  ({ name }) => name,
);
const onSmallDisks = FAULTS.filter(({ needs }) => needs?.includes('small-disks')).map(({ name }) => name);
const preloaded = FAULTS.filter(({ needs }) => needs?.includes('preload')).map(({ name }) => name);

it('loses nothing that was acknowledged in 12 kills of the service', () =>
  expectKept('--rounds', '12', '--seed', '2026', '--faults', 'kill-service', '--services', '1'));

it('loses nothing whatever is done to the service, its database and the way between them', () => {
  const faults = ['--rounds', `${simple.length}`, '--faults', simple.join(',')];
  return expectKept(...faults, '--seed', '7', '--services', '1', '--no-pooler');
});

describeUnless(SmallDisk.obstacle(), 'with disks that can be full', () => {
  it('loses nothing while the disk of the spool, or of the tables, has no room', () =>
    expectKept('--rounds', '3', '--seed', '8', '--faults', onSmallDisks.join(','), '--services', '1'));
});

describeUnless(harmLibraryObstacle(), 'with reads that fail and clocks that step', () => {
  it('loses nothing of what two services were sent for the same bars', () => {
    const faults = ['--rounds', `${preloaded.length}`, '--faults', preloaded.join(',')];
    return expectKept(...faults, '--seed', '12', '--services', '2', '--no-pooler');
  });
});

describeUnless(PgBouncer.obstacle(), 'behind PgBouncer', () => {
  it('stores nothing under another symbol when the database goes back to an older copy', () =>
    expectKept('--rounds', '1', '--seed', '5', '--faults', 'older-copy', '--services', '2', '--pooler'));
});

it('says what it can do', async () => {
  const { code, output } = await chaos('--help');
  expect(code).toBe(0);
  for (const { name } of [...FAULTS, ...SCENARIOS]) expect(output).toContain(` ${name} `);
});

it('says on the last line, for programs, what a run found', async () => {
  const { code, output } = await chaos('--rounds', '1', '--seed', '13', '--faults', 'cut', '--services', '1');
  expect(code).toBe(0);
  expect(JSON.parse(output.trim().split('\n').at(-1) ?? '')).toMatchObject({
    ...{ seed: 13, runs: 1, rounds: 1, faults: { cut: 1 }, restarts: 0, brokenSeeds: [], broken: 0 },
  });
});

it('does not begin what the machine or the faults rule out', async () => {
  const { code, output } = await chaos('--faults', 'spool-disk-full,older-copy');
  expect(code).toBe(2);
  expect(output).toMatch(/(spool-disk-full|older-copy) is not possible here/);
});
