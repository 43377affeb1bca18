import { expect, it } from '@jest/globals';

import { FAULTS } from '../../chaos/faults/index.js';
import { planOf } from '../../chaos/plan.js';

const drawn = (seed: number) => {
  const plan = planOf({ seed, faults: FAULTS, isNamed: false });
  const rounds = Array.from({ length: 200 }, () => plan.nextRound());
  return { plan, rounds, names: rounds.map((faults) => faults.map(({ name }) => name).join(' and ')) };
};

it('draws the same run for the same seed, and another for another', () => {
  expect(drawn(1).names).toEqual(drawn(1).names);
  expect(drawn(1).plan.summary).toBe(drawn(1).plan.summary);
  expect(drawn(1).names).not.toEqual(drawn(2).names);
});

it('inflicts each fault at least once, and two at once only when neither is in the way of the other', () => {
  const { plan, rounds } = drawn(3);
  expect(new Set(rounds.flat())).toEqual(new Set(plan.faults));
  const pairs = rounds.filter((faults) => faults.length === 2);
  expect(pairs.length).toBeGreaterThan(20);
  for (const [one, other] of pairs)
    expect(one?.takes.some((part) => other?.takes.includes(part))).toBe(false);
});

it('never asks for a fault that the stage cannot have', () => {
  for (let seed = 0; seed < 20; seed++) {
    const { plan } = drawn(seed);
    const excluded = plan.stage.smallDisks ? 'whole-disk' : 'small-disks';
    for (const { needs } of plan.faults) expect(needs ?? []).not.toContain(excluded);
  }
});
