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
      expect(decodeText(twoMebibytesOf(blank), format)).toMatchObject({ batch: null, rejected: 0 });
      const row = format === 'csv' ? csvRow() : jsonRow();
      const padded = `${twoMebibytesOf(blank)}${row}${twoMebibytesOf(blank)}`;
      expect(decodeText(padded, format)).toMatchObject({ batch: { rows: 1 }, rejected: 0 });
    }
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
