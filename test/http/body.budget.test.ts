import { describe, expect, it } from '@jest/globals';

import { BodyBudget } from '../../src/http/body.budget.js';

const [one, another, third] = [{}, {}, {}];
const FULL = expect.objectContaining({ code: 'queue-full', status: 429 });

describe('the room of bodies', () => {
  it('is for one sender half of what the others leave', () => {
    const budget = new BodyBudget(1_000);
    const rooms = [one, one, another, third].map((sender) => budget.reserve(0, sender));
    const [first, second, ofAnother, ofThird] = rooms;
    first?.grow(300);
    second?.grow(200);
    expect(() => second?.grow(1)).toThrow(FULL);
    expect(() => budget.reserve(1, one)).toThrow(FULL);
    for (let i = 0; i < 250; i++) ofAnother?.grow(1);
    expect(() => ofAnother?.grow(1)).toThrow(FULL);
    ofThird?.grow(125);
    expect(() => ofThird?.grow(1)).toThrow(FULL);
    first?.release();
    first?.release();
    ofAnother?.grow(50);
  });

  it('is all there again, whatever was taken and given back before', () => {
    const budget = new BodyBudget(1_000);
    for (let i = 0; i < 100; i++) {
      const rooms = [one, another].map((sender) => budget.reserve(0, sender));
      for (const room of rooms) room.grow(200);
      expect(() => rooms[0]?.grow(1_000)).toThrow(FULL);
      for (const room of rooms) room.release();
    }
    budget.reserve(0, one).grow(10);
    budget.reserve(0, one).grow(490);
  });

  it('is enough for a lone body, however large', () => {
    new BodyBudget(1_000).reserve(5_000, one).grow(5_000);
  });
});
