import { gzipSync } from 'node:zlib';

import { describe, expect, it } from '@jest/globals';

import { csvRow } from '../bars/decode.samples.js';
import { type Format, ServedDatabase, TYPES } from './api.samples.js';

// What a container of half a gibibyte leaves for the heap.
const served = new ServedDatabase({ NODE_OPTIONS: '--max-old-space-size=384' });

const BODY_BYTES = 64 * 1024 * 1024;
const LIVE_WITHIN_MS = 10_000;
const MEMORY_BYTES = 900e6;

/** A body of the largest size that repeats the text. */
function filled(text: string, before = '', after = ''): Buffer {
  const times = Math.floor((BODY_BYTES - before.length - after.length) / text.length);
  return Buffer.concat([Buffer.from(before), Buffer.alloc(times * text.length, text), Buffer.from(after)]);
}

const HEADER = `${csvRow().split('\n', 1)[0] ?? ''}\n`;
const MALFORMED = [400, 'malformed-body'];

describe('a body of 64 MiB that is 300 kB on the wire', () => {
  it.each<[string, Format, () => Buffer, unknown[]]>([
    ['lines that are not JSON', 'ndjson', () => filled('{\n'), MALFORMED],
    ['empty objects', 'ndjson', () => filled('{}\n'), MALFORMED],
    ['blank lines', 'ndjson', () => filled('\n'), MALFORMED],
    ['blank lines', 'csv', () => filled('\r\n', HEADER), MALFORMED],
    ['blanks', 'json', () => filled(' ', '[', ']'), MALFORMED],
    ['columns', 'csv', () => filled(','), MALFORMED],
    ['open brackets', 'ndjson', () => filled('['), [422, 'invalid-bars']],
    ['short rows', 'csv', () => filled(',\n', HEADER), MALFORMED],
    ['doubled quotes', 'csv', () => filled('""', HEADER), MALFORMED],
    ['empty objects', 'json', () => filled('{},', '[', '{}]'), MALFORMED],
    ['empty arrays', 'json', () => filled('[],', '[', '[]]'), MALFORMED],
    ['empty arrays beside the bars', 'json', () => filled('[],', '{"x":[', '[]],"bars":[]}'), MALFORMED],
    ['numbers', 'json', () => filled('1,', '{"bars":[', '1]}'), MALFORMED],
    ['open brackets', 'json', () => filled('['), MALFORMED],
    [
      'nested brackets',
      'json',
      () => Buffer.concat([Buffer.alloc(BODY_BYTES / 2, '['), Buffer.alloc(BODY_BYTES / 2, ']')]),
      MALFORMED,
    ],
    ['members', 'json', () => filled('"a":0,', '{', '"b":0}'), MALFORMED],
    ['bars', 'csv', () => filled('a,A,1d,1704153600,1,1,1,1,1\n', HEADER), [413, 'body-too-large']],
    ['bars with a negative volume', 'csv', () => filled('a,A,1d,1704153600,1,1,1,1,-1\n', HEADER), MALFORMED],
  ])('of %s as %s leaves the service alive', async (_, format, make, expected) => {
    const headers = { 'content-encoding': 'gzip' };
    const { status, json } = await served.service.post(
      gzipSync(make(), { level: 1 }),
      TYPES[format],
      '?on_error=skip',
      headers,
    );
    expect([status, json.code]).toEqual(expected);
    const start = performance.now();
    const { status: alive } = await served.service.fetch('/livez');
    expect([alive, performance.now() - start < LIVE_WITHIN_MS]).toEqual([200, true]);
    expect(served.residentBytes()).toBeLessThan(MEMORY_BYTES);
    expect(await served.stored()).toMatchObject({ bars: 0 });
  });
});
