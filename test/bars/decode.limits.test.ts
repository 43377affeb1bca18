import { describe, expect, it } from '@jest/globals';

import { decodeBars, type BodyFormat } from '../../src/bars/decode/bars.decoder.js';
import { MalformedBodyError } from '../../src/bars/decode/malformed-body.error.js';
import { csvRow, decodeText, jsonRow } from './decode.samples.js';

const MEBIBYTE = 2 ** 20;
const HEADER = csvRow().split('\n', 1)[0] ?? '';

/** The text so often that it takes two mebibytes, twice what is parsed at once. */
function twoMebibytesOf(text: string): string {
  return text.repeat(Math.ceil((2 * MEBIBYTE) / text.length));
}

describe('what is parsed at once', () => {
  it.each<[string, BodyFormat, string, string]>([
    ['open brackets', 'json', twoMebibytesOf('['), 'the bracket at byte 1 is not closed'],
    ['open objects', 'json', twoMebibytesOf('{"a":'), 'the bracket at byte 1 is not closed'],
    ['an open string', 'json', `["${twoMebibytesOf('\\"')}`, 'the bracket at byte 1 is not closed'],
    [
      'nested brackets',
      'json',
      twoMebibytesOf('[') + twoMebibytesOf(']'),
      'element 1 has 4194302 bytes, more than 1,048,576',
    ],
    [
      'keys',
      'json',
      `{${twoMebibytesOf('"a":0,')}"b":0}`,
      'must be an array of rows, or an object with one in "bars"',
    ],
    [
      'text beside the bars',
      'json',
      `{"x":[${twoMebibytesOf('[],')}[]],"bars":[]}`,
      'text around the rows has',
    ],
    ['digits', 'json', twoMebibytesOf('1'), 'must be an array of rows'],
    ['quotes', 'csv', `${HEADER}\n"${twoMebibytesOf('""')}"`, 'not closed within 1,048,576 bytes'],
    ['quotes for a header', 'csv', `"${twoMebibytesOf('""')}"`, 'not closed within 1,048,576 bytes'],
  ])('is a mebibyte at most: a body of %s (%s) is refused', (_, format, text, message) => {
    for (const onError of ['abort', 'skip'] as const) {
      expect(() => decodeBars(Buffer.from(text), format, onError)).toThrow(
        expect.objectContaining({ name: 'MalformedBodyError', message: expect.stringContaining(message) }),
      );
    }
  });

  it.each(['[', '{"a":', ' ,'])('is a mebibyte at most: an NDJSON line of %s is refused', (text) => {
    const { batch, rejected, errors } = decodeText(`${jsonRow()}\n${twoMebibytesOf(text)}`, 'ndjson');
    expect(batch?.rows).toBe(1);
    expect({ rejected, errors }).toMatchObject({
      rejected: 1,
      errors: [
        {
          line: 2,
          pointer: '',
          code: 'malformed-line',
          detail: expect.stringMatching(/bytes, more than 1,048,576$/),
        },
      ],
    });
  });

  it.each<BodyFormat>(['ndjson', 'csv', 'json'])('does not count blank lines of a %s body', (format) => {
    for (const blank of ['\n', '\r\n']) {
      const blanks = blank.repeat(5_000);
      expect(decodeText(blanks, format)).toMatchObject({ batch: null, rejected: 0 });
      const row = format === 'csv' ? csvRow() : jsonRow();
      expect(decodeText(`${blanks}${row}${blanks}`, format)).toMatchObject({
        batch: { rows: 1 },
        rejected: 0,
      });
    }
  });

  it.each([
    [
      'CSV record',
      `${HEADER}\n${'x'.repeat(MEBIBYTE + 1)}${csvRow().slice(HEADER.length)}`,
      'malformed-line',
    ],
    ['CSV record of commas', `${csvRow()}${twoMebibytesOf(',')}\n`, 'wrong-field-count'],
    ['line of blanks', `${jsonRow()}\n${twoMebibytesOf(' ')}\n`, 'malformed-line'],
  ])('is a mebibyte at most: a longer %s is refused, and those after it are read', (_, text, code) => {
    const format = text.startsWith('{') ? 'ndjson' : 'csv';
    const another = format === 'csv' ? csvRow().slice(HEADER.length + 1) : jsonRow();
    const { batch, errors } = decodeText(text + another, format);
    expect(batch?.rows).toBeGreaterThan(0);
    expect(errors).toMatchObject([{ code, detail: expect.stringContaining('more than') }]);
  });

  it('is a mebibyte at most, also what an unknown column of a good record has', () => {
    const text = `${HEADER},note\n${csvRow()
      .slice(HEADER.length + 1)
      .trim()},${twoMebibytesOf('x')}\n`;
    expect(decodeText(text, 'csv')).toMatchObject({ batch: null, errors: [{ code: 'malformed-line' }] });
  });
});

describe('blank lines', () => {
  it.each<[BodyFormat, string]>([
    ['ndjson', '\n'],
    ['ndjson', ' \t\r\n'],
    ['csv', '\n'],
    ['csv', '\r\n'],
  ])('of %s (%j) may be 10,000 more than there are others', (format, blank) => {
    const lines =
      format === 'csv'
        ? [
            HEADER,
            ...Array.from({ length: 2 }, () =>
              csvRow()
                .slice(HEADER.length + 1)
                .trim(),
            ),
          ]
        : Array.from({ length: 3 }, () => jsonRow());
    const text = (blanks: number) => `${lines.join('\n')}\n${blank.repeat(blanks)}`;
    const good = format === 'csv' ? 2 : 3;
    expect(decodeText(text(10_003), format)).toMatchObject({ batch: { lines: good }, rejected: 0 });
    for (const body of [text(10_004), blank.repeat(10_004) + lines.join('\n')]) {
      expect(() => decodeText(body, format)).toThrow(
        expect.objectContaining({
          name: 'MalformedBodyError',
          message: expect.stringContaining('at most 10,000 more may be blank than are not'),
        }),
      );
    }
  });

  it('may follow each of many rows', () => {
    const row = csvRow()
      .slice(HEADER.length + 1)
      .trim();
    const text = `${HEADER}\n\n${`${row}\n\n`.repeat(30_000)}`;
    expect(decodeText(text, 'csv')).toMatchObject({ batch: { lines: 30_000 }, rejected: 0 });
  });

  it.each(['before', 'after'])('%s a JSON document may be a mebibyte', (where) => {
    const padded = (bytes: number) => {
      const blanks = ' '.repeat(bytes);
      return where === 'before' ? blanks + jsonRow() : jsonRow() + blanks;
    };
    expect(decodeText(padded(MEBIBYTE), 'json')).toMatchObject({ batch: { rows: 1 } });
    expect(() => decodeText(padded(MEBIBYTE + 1), 'json')).toThrow('more than 1,048,576 blanks');
  });
});

describe('a CSV header', () => {
  it.each([
    ['columns', twoMebibytesOf(','), 'more than 1,024 columns'],
    ['quoted columns', twoMebibytesOf('"a",'), 'more than 1,024 columns'],
    ['bytes', twoMebibytesOf('a'), 'more than 1,048,576 bytes'],
  ])('may not have too many %s', (_, text, message) => {
    expect(() => decodeText(`${text}\n${csvRow()}`, 'csv')).toThrow(message);
  });
});

describe('the bad rows that may be left out', () => {
  it.each(['{', '1'])('are 10,000 lines of %s in NDJSON', (bad) => {
    const withBad = (count: number): string => `${jsonRow()}\n${`${bad}\n`.repeat(count)}`;
    expect(decodeText(withBad(10_000), 'ndjson')).toMatchObject({ rejected: 10_000, batch: { rows: 1 } });
    expect(() => decodeText(withBad(10_001), 'ndjson')).toThrow(
      expect.objectContaining({
        name: 'MalformedBodyError',
        message:
          'More than 10,000 lines are not JSON objects (the last is line 10002): the body is not NDJSON.',
      }),
    );
  });

  it('are a million when they could have been bars', () => {
    const withBad = (count: number): string => `${csvRow()}${'x\n'.repeat(count)}`;
    expect(decodeText(withBad(1_000_000), 'csv')).toMatchObject({ rejected: 1_000_000, batch: { rows: 1 } });
    expect(() => decodeText(withBad(1_000_001), 'csv')).toThrow(
      expect.objectContaining({
        name: 'MalformedBodyError',
        message:
          'More than 1,000,000 rows are bad; the last, row 1000002: the row has 1 fields, the header has 9.',
      }),
    );
  });
});

describe('a body that is refused', () => {
  it.each<[string, BodyFormat, string]>([
    ['a bad bar', 'ndjson', '{"bad":1}\n'],
    ['a bad bar as JSON', 'json', '[{"bad":1}]'],
    ['no JSON', 'json', '['],
    ['an unknown column', 'csv', 'what\n1\n'],
  ])('of %s takes no room with it', (_, format, text) => {
    const refuse = (): void => {
      try {
        expect(decodeBars(Buffer.from(text), format, 'abort').batch).toBeNull();
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedBodyError);
      }
    };
    refuse();
    const before = process.memoryUsage().arrayBuffers;
    // Too few for a garbage collection to hide it.
    for (let i = 0; i < 8; i++) refuse();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MEBIBYTE);
  });
});
