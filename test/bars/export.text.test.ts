import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { NUMBER_BYTES, writeNumber } from '../../src/bars/read/number.bytes.js';
import { TIMESTAMP_BYTES, writeTimestamp } from '../../src/bars/read/timestamp.bytes.js';
import { END_TS_US, FIRST_TS_US, formatTimestamp } from '../../src/bars/timestamp.js';
import { POSTGRES_EPOCH_US } from '../../src/bars/tuple.js';

const target = Buffer.alloc(64);

function numberText(value: number): string {
  const end = writeNumber(value, target, 3);
  expect(end - 3).toBeLessThanOrEqual(NUMBER_BYTES);
  return target.toString('latin1', 3, end);
}

function timeText(micros: number): string {
  const end = writeTimestamp(micros - POSTGRES_EPOCH_US, target, 3);
  expect(end - 3).toBeLessThanOrEqual(TIMESTAMP_BYTES);
  return target.toString('latin1', 3, end);
}

describe('a number of an export', () => {
  it('is the text that JavaScript gives it', () => {
    const decimal = fc
      .tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 14 }))
      .map(([whole, places]) => whole / 10 ** places);
    const price = fc
      .tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: 0, max: 6 }))
      .map(([whole, places]) => whole / 10 ** places);
    const any = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.oneof(decimal, price, any), (value) => {
        expect(numberText(value)).toBe(Object.is(value, -0) ? '-0' : String(value));
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    [-0, '-0'],
    [0, '0'],
    [1e15, '1000000000000000'],
    [1e15 - 1, '999999999999999'],
    [999999999999999.9, '999999999999999.9'],
    [1e21, '1e+21'],
    [1e-6, '0.000001'],
    [9.9e-7, '9.9e-7'],
    [5e-324, '5e-324'],
    [-1.7976931348623157e308, '-1.7976931348623157e+308'],
    [0.1 + 0.2, '0.30000000000000004'],
    [100, '100'],
    [10.05, '10.05'],
  ])('%p is written %s', (value, text) => expect(numberText(value)).toBe(text));
});

describe('a time of an export', () => {
  it('is the text that formatTimestamp() gives it, to the microsecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: FIRST_TS_US, max: END_TS_US - 1 }), (micros) => {
        expect(timeText(micros)).toBe(formatTimestamp(micros));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is right on every day a bar can have', () => {
    const wrong: string[] = [];
    for (let micros = FIRST_TS_US; micros < END_TS_US; micros += 86_400e6) {
      const end = writeTimestamp(micros - POSTGRES_EPOCH_US, target, 0);
      const text = target.toString('latin1', 0, end);
      if (text !== formatTimestamp(micros)) wrong.push(text);
    }
    expect(wrong).toEqual([]);
  });
});
