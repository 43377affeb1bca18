import { setImmediate as nextTurn } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import { LoopTurns } from '../../src/bars/ingest/loop.turns.js';

describe('turns of the event loop', () => {
  it('are given to one after the other, in the order in which they were asked for', async () => {
    const turns = new LoopTurns();
    const went: number[] = [];
    const ask = (one: number) => turns.next().then(() => void went.push(one));
    const first = ask(1);
    const others = [ask(2), ask(3)];
    expect(went).toEqual([]);
    await first;
    expect(went).toEqual([1]);
    await nextTurn();
    expect(went.length).toBeLessThanOrEqual(2);
    await Promise.all(others);
    expect(went).toEqual([1, 2, 3]);
  });

  it('are given again after nobody waited for one', async () => {
    const turns = new LoopTurns();
    await turns.next();
    await nextTurn();
    await turns.next();
  });
});
