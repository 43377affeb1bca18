import { randomBytes } from 'node:crypto';

import { expect, it } from '@jest/globals';

import { joinPieces } from '../../src/http/body.pieces.js';

const MIB = 1024 ** 2;

it.each([
  ['nothing', []],
  ['a few bytes', [1, 2, 3]],
  ['just a mebibyte', [MIB / 2, MIB / 2]],
  ['several mebibytes, in pieces of any size', [100_000, 3 * MIB, 1, 65_536, MIB, 0, 70_000]],
])('the pieces of a body become one: %s', async (_, sizes) => {
  const pieces = sizes.map((bytes) => randomBytes(bytes));
  const expected = Buffer.concat(pieces);
  expect((await joinPieces(pieces, expected.length)).equals(expected)).toBe(true);
});

it('others get their turn after each mebibyte', async () => {
  let turns = 0;
  const count = (): void => {
    turns += 1;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  await joinPieces(
    Array.from({ length: 160 }, () => Buffer.alloc(64 * 1024)),
    10 * MIB,
  );
  clearImmediate(next);
  expect(turns).toBeGreaterThanOrEqual(9);
});
