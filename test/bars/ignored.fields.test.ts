import { describe, expect, it } from '@jest/globals';

import {
  type BodyFormat,
  decodeBars,
  decodeBarsInTurns,
  decodeStrictly,
} from '../../src/bars/decode/bars.decoder.js';
import { csvRow, jsonRow } from './decode.samples.js';

/** The names, whichever way the body is decoded. */
function ignored(text: string, format: BodyFormat): { names: readonly string[]; truncated: boolean } {
  const [scanned, parsed] = [decodeBars, decodeStrictly].map((decoder) => {
    const { ignoredFields, ignoredFieldsTruncated } = decoder(Buffer.from(text), format, 'skip');
    return { names: ignoredFields, truncated: ignoredFieldsTruncated };
  });
  if (scanned === undefined) throw new Error('nothing was decoded');
  expect(scanned).toEqual(parsed);
  return scanned;
}

const none = { names: [], truncated: false };
const only = (...names: string[]) => ({ names, truncated: false });

describe('fields that no bar has', () => {
  it('are named once for all rows, wherever they stand and whatever their value is', () => {
    const rows = [
      jsonRow({ vwap: '1.5' }),
      jsonRow({ vwap: '2.5', note: '"x"' }),
      jsonRow(),
      jsonRow({ note: '{"deep":[1]}', é: 'null' }),
      jsonRow().replace('"open"', '"exchange":"NYSE","open"'),
      jsonRow().replace('"open"', '"exchange":"NYSE","open"'),
    ];
    const names = ['vwap', 'note', 'é', 'exchange'];
    expect(ignored(rows.join('\n'), 'ndjson')).toEqual(only(...names));
    expect(ignored(`[${rows.join(',')}]`, 'json')).toEqual(only(...names));
    expect(ignored(`{"bars":[${rows.join(',')}],"source":"me"}`, 'json')).toEqual(only(...names, 'source'));
    expect(ignored(`{"source":"me","bars":[${rows.join(',')}]}`, 'json')).toEqual(only(...names, 'source'));
  });

  it('are the columns of a CSV header, also of one without rows', () => {
    const [header = '', row = ''] = csvRow().split('\n');
    expect(ignored(`,${header}, vwap ,note,note\n0,${row},1,2,3\n`, 'csv')).toEqual(only('', 'vwap', 'note'));
    expect(ignored(csvRow(), 'csv')).toEqual(none);
  });

  it('are told of each body that has them, though the body before was written alike', () => {
    const row = jsonRow().replace('"open"', '"exchange":"NYSE","open"');
    for (const format of ['ndjson', 'json'] as const) {
      for (let body = 0; body < 3; body++) expect(ignored(row, format)).toEqual(only('exchange'));
      expect(ignored(jsonRow(), format)).toEqual(none);
    }
  });

  it('names those of a row that is written as the line before, which was no row', () => {
    const row = jsonRow().replace('"open"', '"vwap":1,"open"');
    expect(ignored(`${row},\n${row}`, 'ndjson')).toEqual(only('vwap'));
  });

  it('are told of each of two bodies that are decoded in turns', async () => {
    const body = (name: string) =>
      Buffer.from(`${jsonRow().replace('"open"', `"${name}":1,"open"`)}\n`.repeat(12_000));
    const [first, second] = await Promise.all([
      decodeBarsInTurns(body('one'), 'ndjson', 'abort'),
      decodeBarsInTurns(body('two'), 'ndjson', 'abort'),
    ]);
    expect([first.ignoredFields, second.ignoredFields]).toEqual([['one'], ['two']]);
  });

  it('are twenty at most, short and without control characters', () => {
    const members = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`x${at}`, '1']));
    const twenty = Object.keys(members).slice(0, 20);
    expect(ignored(jsonRow(members), 'ndjson')).toEqual({ names: twenty, truncated: true });
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`x${at}`, '1']));
    expect(ignored(jsonRow(many), 'json')).toEqual({ names: twenty, truncated: true });
    const odd = jsonRow({ ['\u202e' + 'a'.repeat(70)]: '1', ['b'.repeat(300)]: '2', '\\u0007': '3' });
    const [mark, long, bell] = ignored(odd, 'ndjson').names;
    expect(mark).toMatch(/^\\u202ea+…$/);
    expect(long).toBe(`${'b'.repeat(63)}…`);
    expect(bell).toBe('\\u0007');
  });

  it('cost no more than their bytes when all that tells them apart is cut off', () => {
    const row = (at: number) => jsonRow({ [`${'x'.repeat(80)}${at}`]: '1' });
    const text = Array.from({ length: 2_000 }, (_, at) => row(at)).join('\n');
    expect(ignored(text, 'ndjson').names).toHaveLength(1);
  });
});
