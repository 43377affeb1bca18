import { describe, expect, it } from '@jest/globals';

import { BufferPool } from '../../src/bars/buffer.pool.js';

const KIB = 1024;
const filled = (bytes: number, value: number) => Buffer.alloc(bytes, value);

describe('a buffer that was given back', () => {
  it('is used for the next bytes that fill it well, and holds these', () => {
    const pool = new BufferPool(1024 * KIB);
    const first = pool.copyOf(filled(100 * KIB, 1));
    pool.giveBack(first);
    const second = pool.copyOf(filled(90 * KIB, 2));
    expect(second.buffer).toBe(first.buffer);
    expect(second.equals(filled(90 * KIB, 2))).toBe(true);
  });

  it.each([74, 101])('is not used for %i of its 100 KiB', (size) => {
    const pool = new BufferPool(1024 * KIB);
    const first = pool.copyOf(filled(100 * KIB, 1));
    pool.giveBack(first);
    expect(pool.copyOf(filled(size * KIB, 2)).buffer).not.toBe(first.buffer);
  });

  it('twice is used once', () => {
    const pool = new BufferPool(1024 * KIB);
    const first = pool.copyOf(filled(100 * KIB, 1));
    pool.giveBack(first);
    pool.giveBack(first);
    const second = pool.copyOf(filled(100 * KIB, 2));
    const third = pool.copyOf(filled(100 * KIB, 3));
    expect(third.buffer).not.toBe(second.buffer);
    expect(second.equals(filled(100 * KIB, 2))).toBe(true);
  });

  it('is not taken from who has it now when the one before gives it back once more', () => {
    const pool = new BufferPool(1024 * KIB);
    const first = pool.copyOf(filled(100 * KIB, 1));
    pool.giveBack(first);
    const second = pool.copyOf(filled(100 * KIB, 2));
    expect(second.buffer).toBe(first.buffer);
    pool.giveBack(first);
    expect(pool.copyOf(filled(100 * KIB, 3)).buffer).not.toBe(second.buffer);
    expect(second.equals(filled(100 * KIB, 2))).toBe(true);
  });

  it('may be lent and given back again and again', () => {
    const pool = new BufferPool(1024 * KIB);
    let lent = pool.copyOf(filled(100 * KIB, 1));
    const { buffer } = lent;
    for (let turn = 0; turn < 3; turn++) {
      pool.giveBack(lent);
      lent = pool.copyOf(filled(100 * KIB, turn));
      expect(lent.buffer).toBe(buffer);
    }
  });

  it('is let go of when others fill the pool', () => {
    const pool = new BufferPool(250 * KIB);
    const lent = [1, 2, 3].map((value) => pool.copyOf(filled(100 * KIB, value)));
    for (const buffer of lent) pool.giveBack(buffer);
    const used = [4, 5, 6].map((value) => pool.copyOf(filled(100 * KIB, value)).buffer);
    expect(used[0]).toBe(lent[2]?.buffer);
    expect(used[1]).toBe(lent[1]?.buffer);
    expect(used[2]).not.toBe(lent[0]?.buffer);
  });
});

describe('a pool', () => {
  it('takes nothing that is not its own', () => {
    const pool = new BufferPool(1024 * KIB);
    const strange = filled(100 * KIB, 1);
    pool.giveBack(strange);
    expect(pool.copyOf(filled(100 * KIB, 2)).buffer).not.toBe(strange.buffer);
  });

  it('copies what is small without keeping it, shared memory of Node included', () => {
    const pool = new BufferPool(1024 * KIB);
    const small = pool.copyOf(filled(100, 7));
    expect(small).toEqual(filled(100, 7));
    pool.giveBack(small);
    expect(pool.copyOf(filled(100 * KIB, 2)).buffer).not.toBe(small.buffer);
  });
});
