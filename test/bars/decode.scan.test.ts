import { describe, expect, it, jest } from '@jest/globals';

import {
  type BodyFormat,
  decodeBars,
  decodeStrictly,
  type DecodeResult,
} from '../../src/bars/decode/bars.decoder.js';
import type { BarBatch } from '../../src/bars/bar.batch.js';
import { RowValidator } from '../../src/bars/decode/row.validator.js';
import { parseSeriesName } from '../../src/bars/series.key.js';
import { barsOf, csvRow, GOOD_ROW, jsonRow, secondsAfter } from './decode.samples.js';

const FORMATS: readonly BodyFormat[] = ['ndjson', 'json', 'csv'];
const [HEADER = ''] = csvRow().split('\n');

/** A body of the rows, each with some values as they are written in JSON, text without its quotes. */
function bodyOf(format: BodyFormat, rows: readonly Record<string, string>[]): Buffer {
  if (format === 'csv')
    return Buffer.from([HEADER, ...rows.map((row) => csvRow(row).split('\n')[1] ?? '')].join('\n'));
  const lines = rows.map((row) => {
    const quoted = Object.entries(row).map(([key, text]) => [
      key,
      key === 'ts' ? text : JSON.stringify(text),
    ]);
    return jsonRow(Object.fromEntries(quoted) as Record<string, string>);
  });
  return Buffer.from(format === 'json' ? `[${lines.join(',')}]` : lines.join('\n'));
}

/** What both ways of decoding make of the body, which must be the same. */
function decodeTwice(body: Buffer, format: BodyFormat): DecodeResult {
  const scanned = decodeBars(body, format, 'skip');
  expect(scanned).toEqual(decodeStrictly(body, format, 'skip'));
  return scanned;
}

function symbolsOf(batch: BarBatch | null): string[] | undefined {
  return batch?.series.map((name) => parseSeriesName(name).symbol);
}

/** FNV-1a, by which the scanner hashes a symbol. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

describe('a usual body', () => {
  const rows = Array.from({ length: 40 }, (_, row) => ({
    ...GOOD_ROW,
    symbol: `SYM${row % 7}`,
    ts: row % 2 === 0 ? 1_700_000_000 + row : `2026-01-02T14:${10 + row}:00Z`,
    high: 123 + row / 10_000,
    volume: row % 3 === 0 ? 0 : row + 0.25,
  }));
  const bodies: Record<BodyFormat, string> = {
    ndjson: rows.map((row) => JSON.stringify(row)).join('\n'),
    json: JSON.stringify(rows),
    csv: [HEADER, ...rows.map((row) => Object.values(row).join(','))].join('\n'),
  };

  it.each(FORMATS)('is scanned row by row and never parsed, in %s', (format) => {
    const body = Buffer.from(bodies[format]);
    const parsed = jest.spyOn(RowValidator.prototype, 'add');
    try {
      expect(decodeBars(body, format, 'skip').batch?.rows).toBe(40);
      expect(parsed).not.toHaveBeenCalled();
      decodeStrictly(body, format, 'skip');
      expect(parsed).toHaveBeenCalledTimes(40);
    } finally {
      parsed.mockRestore();
    }
  });
});

describe('the series of a scanned row', () => {
  it.each(FORMATS)('is told from one whose key has the same hash, in %s', (format) => {
    const twins = ['costarring', 'liquid'];
    expect(hashOf('costarring')).toBe(hashOf('liquid'));
    const body = bodyOf(
      format,
      Array.from({ length: 40 }, (_, row) => ({ symbol: twins[row % 2] ?? '', ts: secondsAfter(row) })),
    );
    const { batch } = decodeTwice(body, format);
    expect(symbolsOf(batch)).toEqual(['COSTARRING', 'LIQUID']);
    expect(barsOf(batch).map(({ symbol }) => symbol)).toEqual(
      Array.from({ length: 40 }, (_, row) => (twins[row % 2] ?? '').toUpperCase()),
    );
  });

  it('is found when hundreds of keys want the same slot', () => {
    const symbols: string[] = [];
    for (let n = 0; symbols.length < 300; n++) {
      // The slot is of the low bits of the hash, exclusive or 15 bits higher up; the rest of the key is the same.
      const hash = hashOf(`X${n}`);
      if (((hash ^ (hash >>> 15)) & 0x7ff) === 7) symbols.push(`X${n}`);
    }
    const rows = [...symbols, ...symbols.toReversed()].map((symbol, row) => ({
      symbol,
      ts: secondsAfter(row),
    }));
    for (const format of FORMATS) {
      const { batch } = decodeTwice(bodyOf(format, rows), format);
      expect(symbolsOf(batch)).toEqual(symbols);
      expect(barsOf(batch).map(({ symbol }) => symbol)).toEqual(rows.map(({ symbol }) => symbol));
    }
  });

  it('is the same however its interval is spelled, and whoever read the row', () => {
    const rows = [
      { symbol: 'spy', interval: '5min', ts: secondsAfter(0) },
      { symbol: 'spy', interval: '5m', ts: secondsAfter(1) },
      { symbol: 'Spy', interval: '5m', ts: secondsAfter(2), provider: 'other' },
      { symbol: 'spy', interval: '5min', ts: secondsAfter(3) },
    ];
    for (const format of FORMATS) {
      const { batch } = decodeTwice(bodyOf(format, rows), format);
      expect(barsOf(batch).map(({ provider }) => provider)).toEqual(['ibkr', 'ibkr', 'other', 'ibkr']);
      expect(batch?.series).toHaveLength(2);
    }
    const escaped = `${jsonRow({ symbol: '"S\\u0050Y"', ts: secondsAfter(9) })}\n`;
    const mixed = Buffer.from(`${escaped}${jsonRow({ symbol: '"SPY"' })}\n${escaped}`);
    expect(decodeTwice(mixed, 'ndjson').batch?.series).toHaveLength(1);
  });

  it('is right though the bodies before had others, and more than are remembered', () => {
    const symbols = (first: number, count: number) =>
      Array.from({ length: count }, (_, at) => ({ symbol: `S${first + at}`, ts: secondsAfter(at) }));
    const known = [...symbols(0, 3), { symbol: 'S1', ts: secondsAfter(7) }];
    for (const bodies of [[symbols(2, 4)], [symbols(1_000, 150_000), symbols(500_000, 150_000)]]) {
      for (const body of bodies)
        expect(decodeBars(bodyOf('csv', body), 'csv', 'abort').batch?.rows).toBe(body.length);
      const { batch } = decodeTwice(bodyOf('ndjson', known), 'ndjson');
      expect(symbolsOf(batch)).toEqual(['S0', 'S1', 'S2']);
      expect(barsOf(batch).map(({ symbol }) => symbol)).toEqual(known.map(({ symbol }) => symbol));
    }
  });

  it('is not taken for one that was read before when its parts are cut elsewhere', () => {
    decodeBars(bodyOf('ndjson', [{ provider: 'ab', symbol: 'C' }]), 'ndjson', 'abort');
    for (const format of FORMATS) {
      const { batch } = decodeTwice(bodyOf(format, [{ provider: 'a', symbol: 'BC' }]), format);
      expect(batch?.series).toEqual(['a BC 1d']);
    }
  });

  it('is no series when a part of its key is not right, whatever the row before was', () => {
    const rows = [
      { provider: 'a b' },
      { provider: 'a' },
      { symbol: 'x'.repeat(65) },
      { interval: '1y' },
      { provider: 'a', interval: '01m' },
      { provider: 'a' },
    ];
    for (const format of FORMATS) {
      const { batch, errors } = decodeTwice(bodyOf(format, rows), format);
      expect(batch?.lines).toBe(2);
      expect(errors.map(({ line, pointer }) => `${line}${pointer}`)).toEqual([
        '1/provider',
        '3/symbol',
        '4/interval',
        '5/interval',
      ]);
    }
  });
});

describe('a scanned row', () => {
  it('may end with the text, and takes the last of two equal keys there', () => {
    const row = jsonRow({ ts: secondsAfter(5) });
    const last = `${row.slice(0, -1)},"ts":1704153600}`;
    for (const body of [`${row}\n${last}`, last]) {
      const { batch } = decodeTwice(Buffer.from(body), 'ndjson');
      expect(barsOf(batch).at(-1)?.ts).toBe(1_704_153_600_000_000);
    }
    expect(barsOf(decodeTwice(Buffer.from(last), 'json').batch)[0]?.ts).toBe(1_704_153_600_000_000);
  });

  it('is cut anywhere without harm', () => {
    for (const format of FORMATS) {
      const body = bodyOf(format, [{}, { symbol: 'QQQ', ts: secondsAfter(5) }]);
      for (let length = 0; length < body.length; length++) {
        const cut = body.subarray(0, length);
        const outcome = (decode: typeof decodeBars): unknown => {
          try {
            return decode(cut, format, 'skip');
          } catch (error) {
            return (error as Error).message;
          }
        };
        expect(outcome(decodeBars)).toEqual(outcome(decodeStrictly));
      }
    }
  });

  it('is read where it lies, with other bytes around the body', () => {
    for (const format of FORMATS) {
      const body = bodyOf(format, [{}, { symbol: 'QQQ' }]);
      const inside = Buffer.concat([Buffer.from('9"x'), body, Buffer.from('9,"x}]\n')]);
      expect(decodeTwice(inside.subarray(3, 3 + body.length), format)).toEqual(decodeTwice(body, format));
    }
  });
});

describe('a body of more bars than are taken', () => {
  it.each(FORMATS)('is read no further, in %s', (format) => {
    const rows = Array.from({ length: 20 }, (_, row) => ({ ts: secondsAfter(row % 15) }));
    const body = bodyOf(format, rows);
    for (const decode of [decodeBars, decodeStrictly]) {
      expect(decode(body, format, 'abort', 20).batch).toMatchObject({ lines: 20, rows: 15 });
      for (const limit of [1, 7, 8, 19]) {
        expect(() => decode(body, format, 'abort', limit)).toThrow(
          expect.objectContaining({
            name: 'TooManyBarsError',
            message: expect.stringContaining(`more than ${limit} bars`),
          }),
        );
      }
    }
  });
});
