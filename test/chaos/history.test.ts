import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type { Send } from '../../chaos/bar.model.js';
import { faultOfHistory } from '../../chaos/history.check.js';

/** `12?` is a version in doubt, `12` one that was answered as safe. */
const sends = (text: string): Send[] =>
  text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => ({ content: Number.parseInt(word, 10), fate: word.endsWith('?') ? 'doubt' : 'sure' }));

const found = (text: string): number[] => sends(text).map(({ content }) => content);

describe('the check of a history', () => {
  it.each([
    ['1 2 3', '1 2 3'],
    ['1 1 2', '1 2'],
    ['1 2? 3', '1 3'],
    ['1 2? 3', '1 2 3'],
    ['1? 2?', ''],
    ['1? 2?', '2'],
    ['', ''],
    // A version that was sent again and changed nothing, or came to lie behind what was committed late.
    ['1 2 1', '1 2 1'],
    ['1 2 1 3', '1 2 3'],
    ['1? 2 1 3', '1 2 3'],
    // What one version may have left can be what another left.
    ['1 2? 1 2', '1 2'],
    ['1 2? 1 2', '1 2 1 2'],
  ])('takes %j as stored %j', (sent, stored) => {
    expect(faultOfHistory(sends(sent), found(stored))).toBeUndefined();
  });

  it.each([
    ['1 2 3', '1 3', 'lacks version 2'],
    ['1 2 3', '1 2', 'lacks version 3'],
    ['1 2', '2 1', 'lacks version 1'],
    ['1', '', 'lacks version 1'],
    ['1 2?', '2', 'lacks version 1'],
    ['1', '1 7', 'is not what was sent'],
    ['', '1', 'is not what was sent'],
    ['1? 2', '1', 'lacks version 2'],
    // The last one must be stored, also one that was sent before.
    ['1 2 1', '1 2', 'lacks version 1'],
    ['1 2 1', '2 1', 'lacks version 1'],
    ['1 2 3', '1 2 3 2', 'is not what was sent'],
  ])('does not take %j as stored %j', (sent, stored, fault) => {
    expect(faultOfHistory(sends(sent), found(stored))).toContain(fault);
  });

  it('lets a version be missing that is a dead letter', () => {
    expect(faultOfHistory(sends('1 2 3'), [1, 3], new Set([2]))).toBeUndefined();
    expect(faultOfHistory(sends('1 2 3'), [1, 2], new Set([2]))).toContain('lacks version 3');
  });

  it('takes every history that the sends may leave, and none with a version exchanged', () => {
    const send = fc.record({
      content: fc.integer({ min: 1, max: 5 }),
      fate: fc.constantFrom('sure', 'doubt'),
      isTaken: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(send, { minLength: 1, maxLength: 12 }), (all) => {
        const known = all.filter(({ fate, isTaken }) => fate === 'sure' || isTaken);
        const contents = known.map(({ content }) => content).filter((one, at, of) => one !== of[at - 1]);
        expect(faultOfHistory(all as Send[], contents)).toBeUndefined();
        expect(faultOfHistory(all as Send[], [...contents, 99])).toBeDefined();
      }),
    );
  });
});
