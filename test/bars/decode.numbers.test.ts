import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { barsOf, csvRow, decodeText, jsonRow } from './decode.samples.js';

const digits = (min: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.integer({ min: 0, max: 9 }).map(String), minLength: min, maxLength: 25 });

/** Any text of the JSON number grammar. */
const numberText = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole: fc.oneof(
      fc.constant('0'),
      fc.tuple(fc.integer({ min: 1, max: 9 }), digits(0)).map((parts) => parts.join('')),
    ),
    fraction: fc.oneof(
      fc.constant(''),
      digits(1).map((text) => `.${text}`),
    ),
    exponent: fc.oneof(
      fc.constant(''),
      fc
        .tuple(fc.constantFrom('e', 'E', 'e+', 'E-'), fc.integer({ min: 0, max: 330 }))
        .map((parts) => parts.join('')),
    ),
  })
  .map(({ sign, whole, fraction, exponent }) => sign + whole + fraction + exponent);

/** Open, high, low and close are the same number, so that no relation is in the way. */
function flat(text: string): Record<string, string> {
  return { open: text, high: text, low: text, close: text };
}

function closes(text: string): (number | string | undefined)[] {
  return [decodeText(csvRow(flat(text)), 'csv'), decodeText(jsonRow(flat(text)), 'ndjson')].map(
    ({ batch, errors }) => barsOf(batch)[0]?.prices[3] ?? errors[0]?.code,
  );
}

describe('a number', () => {
  it('is the double nearest to its text, bit for bit, in JSON and CSV', () => {
    fc.assert(
      fc.property(numberText, (text) => {
        const expected = Number.isFinite(Number(text)) ? Number(text) : 'not-finite';
        expect(closes(text)).toEqual([expected, expected]);
      }),
      { numRuns: 2000 },
    );
  });

  it('comes back from the shortest text of any double', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = Object.is(value, -0) ? '-0' : String(value);
        expect(closes(text)).toEqual([value, value]);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['-0', -0],
    ['9007199254740993', 9_007_199_254_740_992],
    ['1e-320', 1e-320],
    ['1e-400', 0],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['1E5', 100_000],
  ])('may be %s', (text, expected) => {
    expect(closes(text)).toEqual([expected, expected]);
  });

  it.each(['1e400', '-1e400'])('may not be %s, which is not finite', (text) => {
    expect(closes(text)).toEqual(['not-finite', 'not-finite']);
  });

  it.each([
    'NaN',
    'Infinity',
    '-Infinity',
    '+1',
    '1.',
    '.5',
    '01.5',
    '-01',
    '0x10',
    '1_000',
    '1e',
    '--1',
    '-',
    '1n',
    '１',
  ])('may not be %s, which is not a JSON number', (text) => {
    expect(closes(text)).toEqual(['wrong-type', 'malformed-line']);
  });

  it.each([' 1', '1 ', '1\t', '"1\n"', '"1,5"', "'1'"])('may not be %j in CSV', (text) => {
    expect(closes(text)[0]).toBe('wrong-type');
  });

  it('may not be a string in JSON', () => {
    expect(closes('"1.5"')[1]).toBe('wrong-type');
  });
});
