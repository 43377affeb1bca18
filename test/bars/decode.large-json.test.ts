import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import { decodeJson } from '../../src/bars/decode/json.decoder.js';
import { RowErrorList } from '../../src/bars/decode/row-error.list.js';
import { RowValidator } from '../../src/bars/decode/row.validator.js';
import { atOnce } from '../../src/bars/decode/slices.js';
import { barsOf, decodeText, jsonRow, secondsAfter } from './decode.samples.js';

/** What becomes of the body when no more than `maxParsedBytes` of it are parsed at once. */
function decodeWith(text: string, maxParsedBytes: number): unknown {
  const builder = new BarBatchBuilder();
  const errors = new RowErrorList(true);
  try {
    atOnce(decodeJson(Buffer.from(text), new RowValidator(builder, errors), errors, maxParsedBytes));
  } catch (error) {
    return (error as Error).name;
  }
  return { bars: barsOf(builder.finish()), errors: errors.kept };
}

const blank = fc.stringMatching(/^[ \t\r\n]{0,2}$/);
const row = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 9 }).map((ts) => jsonRow({ ts: secondsAfter(ts) })) },
  {
    weight: 1,
    arbitrary: fc.constant(jsonRow({ symbol: '"a]}\\"[,{\\\\"', note: '[{"x":[1,{}]},"\\\\\\""]' })),
  },
  { weight: 1, arbitrary: fc.constantFrom('{}', '[]', '7', '"],["', 'null', '"\\u005d"', '[[],{}]') },
);
const rows = fc
  .tuple(fc.array(row, { minLength: 1, maxLength: 12 }), blank, blank)
  .map(([elements, before, after]) => `[${before}${elements.join(`${after},${before}`)}${after}]`);
const member = fc.constantFrom('"a":1', '"b":{"bars":[1]}', '"c":"\\"bars\\":["', '"bar":[]', '"x" : [ ]');
const document = fc.oneof(
  rows,
  fc
    .tuple(rows, fc.array(member, { maxLength: 3 }), fc.array(member, { maxLength: 3 }), blank)
    .map(
      ([bars, before, after, space]) =>
        `{${[...before, `${space}"bars"${space}:${space}${bars}`, ...after].join(',')}}`,
    ),
);
const LARGEST_PART_BYTES = 400;

describe('a JSON document that is decoded row by row', () => {
  it('gives what it gives when it is parsed at once', () => {
    fc.assert(
      fc.property(document, blank, blank, (text, before, after) => {
        const body = `${before}${text}${after}`;
        const small = Math.min(LARGEST_PART_BYTES, text.length - 1);
        const found = decodeWith(body, small);
        // Few rows leave no room for a limit between the longest part and the whole.
        fc.pre(found !== 'MalformedBodyError' || small === LARGEST_PART_BYTES);
        expect(found).toEqual(decodeWith(body, Infinity));
      }),
      { numRuns: 500 },
    );
  });

  it('is refused when it is no JSON as a whole, wherever a character is missing or too much', () => {
    const text = fc.tuple(
      rows,
      fc.nat(),
      fc.constantFrom('', ',', '[', ']', '{', '}', '"', '\\', 'x', ':', '1'),
    );
    fc.assert(
      fc.property(text, fc.boolean(), ([whole, position, inserted], removes) => {
        const at = position % whole.length;
        const body = whole.slice(0, at) + inserted + whole.slice(at + (removes ? 1 : 0));
        fc.pre(body.length > LARGEST_PART_BYTES);
        expect(decodeWith(body, LARGEST_PART_BYTES)).toEqual(decodeWith(body, Infinity));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is read when it has more than a mebibyte, and refused when one row has', () => {
    const many = Array.from({ length: 20_000 }, (_, ts) => jsonRow({ ts: secondsAfter(ts) })).join(',');
    for (const text of [
      `[${many}]`,
      `{"bars":[${many}],"source":"x"}`,
      `{"source":{"bars":[1]},"bars" : [${many}]}`,
    ]) {
      expect(text.length).toBeGreaterThan(2 ** 20);
      expect(decodeText(text, 'json')).toMatchObject({ rejected: 0, batch: { rows: 20_000 } });
      expect(() => decodeText(`${text}x`, 'json')).toThrow(
        expect.objectContaining({ name: 'MalformedBodyError' }),
      );
      expect(() => decodeText(text.slice(0, -1), 'json')).toThrow(
        expect.objectContaining({ name: 'MalformedBodyError' }),
      );
    }
    const note = JSON.stringify('x'.repeat(2 ** 20));
    expect(() => decodeText(`[${jsonRow()},${jsonRow({ note })}]`, 'json')).toThrow('The element 2 has');
    expect(() => decodeText(`{"note":${note},"bars":[]}`, 'json')).toThrow('The text around the rows has');
  });

  it('keeps the reason of the parser and names the element', () => {
    const many = `${jsonRow()},`.repeat(10_000);
    expect(() => decodeText(`[${many}{"a":1,}]`, 'json')).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^The body is not a JSON document in element 10001: /),
        cause: expect.any(SyntaxError),
      }),
    );
  });
});
