import { existsSync } from 'node:fs';

import { it } from '@jest/globals';

import { describeUnless } from '../support/requirement.js';
import { expectKept } from './harness.js';

it('answers every request while two replicas are restarted in turn', () =>
  expectKept('--scenario', 'rolling', '--rounds', '4', '--seed', '9'));

describeUnless(existsSync('.git') ? undefined : 'this is no clone of the repository', 'another build', () => {
  it('hands its data and its database over to this build, and gets them back, while bars come', () =>
    expectKept('--scenario', 'upgrade', '--from', 'HEAD', '--rounds', '2', '--seed', '12'));
});

it('loses nothing while the database is away at full load, in bounded memory, and recovers at full speed', () =>
  expectKept('--scenario', 'outage', '--seconds', '5', '--seed', '10'));

it('is ready soon with a large backlog, and does not read it into memory', () =>
  expectKept('--scenario', 'backlog', '--mib', '300', '--seconds', '5', '--seed', '11'));
