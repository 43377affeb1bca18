import { describe, expect, it } from '@jest/globals';

import { decodeBars, type BodyFormat } from '../../src/bars/decode/bars.decoder.js';
import { csvRow, decodeText, jsonRow } from './decode.samples.js';

const BODY_BYTES = 64 * 1024 * 1024;
/** About five times what the slowest takes on a free machine; unbounded they take minutes or end the process. */
const TIME_LIMIT_MS = 15_000;
const MEMORY_LIMIT_BYTES = 700 * 1024 * 1024;

/** A body of the largest size that repeats the text. */
function filled(text: string, before = '', after = ''): Buffer {
  const times = Math.floor((BODY_BYTES - before.length - after.length) / text.length);
  return Buffer.concat([Buffer.from(before), Buffer.alloc(times * text.length, text), Buffer.from(after)]);
}

/** A JSON object with as many different keys as fit. */
function manyKeys(): Buffer {
  const body = Buffer.alloc(BODY_BYTES - 1, ' ');
  let at = body.write('{');
  for (let key = 0; at < BODY_BYTES - 32; key++) at += body.write(`"${key.toString(36)}":0,`, at);
  body.write('"":0}', at);
  return body;
}

const HEADER = csvRow().split('\n', 1)[0] ?? '';

describe('a body of 64 MiB whose good rows are asked for', () => {
  it.each<[string, BodyFormat, () => Buffer, string]>([
    ['lines that are not JSON', 'ndjson', () => filled('{\n'), 'More than 10,000 lines are not JSON objects'],
    [
      'lines that are no objects',
      'ndjson',
      () => filled('1\n'),
      'More than 10,000 lines are not JSON objects',
    ],
    ['empty objects', 'ndjson', () => filled('{}\n'), 'More than 1,000,000 rows are bad'],
    ['one element each', 'csv', () => filled('x\n', `${HEADER}\n`), 'More than 1,000,000 rows are bad'],
    ['empty rows', 'csv', () => filled(',,,,,,,,\n', `${HEADER}\n`), 'More than 1,000,000 rows are bad'],
    ['quotes', 'csv', () => filled('""', `${HEADER}\n`, '"'), 'not closed within 1,048,576 characters'],
    ['quotes in the header', 'csv', () => filled('""'), 'not closed within 1,048,576 characters'],
    ['commas', 'csv', () => filled(','), 'columns, more than 1024'],
    ['empty objects', 'json', () => filled('{},', '[', '{}]'), 'More than 1,000,000 rows are bad'],
    ['empty arrays', 'json', () => filled('[],', '[', '[]]'), 'More than 1,000,000 rows are bad'],
    ['numbers', 'json', () => filled('1,', '{"bars":[', '1]}'), 'More than 1,000,000 rows are bad'],
    ['open brackets', 'json', () => filled('['), 'the bracket at byte 1 is not closed'],
    ['open objects', 'json', () => filled('{"a":'), 'the bracket at byte 1 is not closed'],
    [
      'nested brackets',
      'json',
      () => Buffer.concat([filled('[').subarray(BODY_BYTES / 2), Buffer.alloc(BODY_BYTES / 2, ']')]),
      'element 1 has 67108862 bytes, more than 1,048,576',
    ],
    ['keys', 'json', manyKeys, 'must be an array of rows, or an object with one in "bars"'],
    [
      'arrays beside the bars',
      'json',
      () => filled('[],', '{"x":[', '[]],"bars":[]}'),
      'text around the rows has',
    ],
    ['digits', 'json', () => filled('1'), 'must be an array of rows'],
    ['a string', 'json', () => filled('\\"', '["'), 'the bracket at byte 1 is not closed'],
  ])(
    'and that holds nothing but %s is refused in time and in bounded memory (%s)',
    (_, format, make, message) => {
      const body = make();
      const start = performance.now();
      const before = process.memoryUsage().rss;
      expect(() => decodeBars(body, format, 'skip')).toThrow(
        expect.objectContaining({ name: 'MalformedBodyError', message: expect.stringContaining(message) }),
      );
      expect(process.memoryUsage().rss - before).toBeLessThan(MEMORY_LIMIT_BYTES);
      expect(performance.now() - start).toBeLessThan(TIME_LIMIT_MS);
    },
    60_000,
  );

  it.each(['[', '{"a":', ' ,'])('and that is one NDJSON line of %s is not parsed', (text) => {
    const { rejected, errors } = decodeBars(filled(text), 'ndjson', 'skip');
    expect({ rejected, errors }).toMatchObject({
      rejected: 1,
      errors: [
        { line: 1, code: 'malformed-line', detail: expect.stringContaining('bytes, more than 1,048,576') },
      ],
    });
  });

  it.each<BodyFormat>(['ndjson', 'csv', 'json'])('and that is blank holds no rows as %s', (format) => {
    expect(decodeBars(filled('\n'), format, 'skip')).toMatchObject({ batch: null, rejected: 0 });
    expect(decodeBars(filled('\r\n'), format, 'abort')).toMatchObject({ batch: null, rejected: 0 });
  });
});

describe('the limit of bad rows', () => {
  it.each(['{', '1'])('is 10,000 lines of %s in NDJSON', (bad) => {
    const withBad = (count: number): string => `${jsonRow()}\n${`${bad}\n`.repeat(count)}`;
    expect(decodeText(withBad(10_000), 'ndjson')).toMatchObject({ rejected: 10_000, batch: { rows: 1 } });
    expect(() => decodeText(withBad(10_001), 'ndjson')).toThrow('the last is line 10002');
  });

  it('is a million for rows that could have been bars', () => {
    const withBad = (count: number): string => `${csvRow()}${'x\n'.repeat(count)}`;
    expect(decodeText(withBad(1_000_000), 'csv')).toMatchObject({ rejected: 1_000_000, batch: { rows: 1 } });
    expect(() => decodeText(withBad(1_000_001), 'csv')).toThrow('the last, row 1000002');
  });
});
