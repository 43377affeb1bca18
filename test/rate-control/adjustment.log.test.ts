import 'reflect-metadata';

import { setImmediate as nextTurn } from 'node:timers/promises';

import { expect, it } from '@jest/globals';

import { AdjustmentLog } from '../../src/rate-control/adjustment.log.js';
import { adjustment } from './feedback.js';

it('says in one line how providers stand whose rate is enforced, and in another those that are only told', async () => {
  const lines: string[] = [];
  const log = new AdjustmentLog(
    (provider) => provider === 'ibkr',
    (line) => lines.push(line),
  );
  for (const provider of ['a', 'b', 'c', 'ibkr', 'd', 'e', 'f', 'g']) log.note(adjustment(provider, 0.5));
  log.note(adjustment('a', 0, 'hard'));
  log.note(adjustment('a', 0.5));
  expect(lines).toEqual([]);
  await nextTurn();
  log.note(adjustment('a', 1, 'ok'));
  await nextTurn();
  const told = 'this is told and not enforced: no rate is set (MDP_RATE_PROVIDERS)';
  expect(lines).toEqual([
    `a, b, c, d, e and 2 more may send at 0.5 of full speed (soft); ${told}`,
    'ibkr may send at 0.5 of the rate that is set (soft); more is refused',
    `a may send at 1 of full speed (ok); ${told}`,
  ]);
});
