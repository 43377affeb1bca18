import { describe, expect, it } from '@jest/globals';

import { noTries } from '../../src/coordinator/guarded.sink.js';
import { type Suspect, SuspectLine } from '../../src/coordinator/suspect.line.js';
import type { Entry } from '../../src/coordinator/sink.js';

function suspect(origin: number, mode: 'write' | 'sift', rows: number): Suspect<Entry, void> {
  const rest = { sifted: false, tries: noTries(), pauses: 0, due: 0, waiting: undefined };
  return { parts: [], aside: [], rows, origin, mode, ...rest };
}

describe('rows that are tried apart', () => {
  it('of an old batch come to an end though larger batches fail without end', () => {
    const line = new SuspectLine<Entry, void>();
    const old = [suspect(1, 'write', 30), suspect(1, 'sift', 20), suspect(1, 'write', 60)];
    old.forEach((one) => line.add(one));
    const taken: (Suspect<Entry, void> | undefined)[] = [];
    for (let origin = 2; origin < 10; origin++) {
      line.add(suspect(origin, 'write', 5_000));
      taken.push(line.takeDue(0, { stuck: true }), line.takeDue(0, { stuck: true }));
    }
    expect(taken.filter((one) => one?.origin === 1).map((one) => one?.rows)).toEqual([20, 30, 60]);
    expect(taken.filter((one) => one?.rows === 5_000).length).toBeGreaterThan(4);
  });

  it('of a later batch are not held behind many small pieces', () => {
    const line = new SuspectLine<Entry, void>();
    for (let piece = 0; piece < 100; piece++) line.add(suspect(1, 'sift', 500));
    line.add(suspect(2, 'write', 400));
    const two = [line.takeDue(0, { stuck: true }), line.takeDue(0, { stuck: true })];
    expect(two.map((one) => one?.origin)).toContain(2);
  });
});
