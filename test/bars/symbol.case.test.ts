import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { type BodyFormat, decodeBars, decodeStrictly } from '../../src/bars/decode/bars.decoder.js';
import { SymbolCase, UPPER_CASE } from '../../src/bars/symbol.case.js';
import { barsOf, csvRow, jsonRow, secondsAfter } from './decode.samples.js';

const POLYGON = new SymbolCase(['polygon']);
const EVERY = new SymbolCase('*');

type Row = readonly [provider: string, symbol: string, interval?: string];

function bodyOf(rows: readonly Row[], format: BodyFormat): Buffer {
  const texts = rows.map(([provider, symbol, interval = '1d'], row) => {
    const ts = secondsAfter(row * 60);
    if (format === 'csv') return csvRow({ provider, symbol, interval, ts }).split('\n')[1] ?? '';
    return jsonRow({ provider: `"${provider}"`, symbol: `"${symbol}"`, interval: `"${interval}"`, ts });
  });
  if (format === 'csv') return Buffer.from([csvRow().split('\n')[0], ...texts].join('\n'));
  return Buffer.from(format === 'json' ? `[${texts.join(',')}]` : texts.join('\n'));
}

/** Symbols in the order of their bars, and the lines refused; the same whichever way the body is decoded. */
function decode(rows: readonly Row[], symbolCase: SymbolCase): { symbols: string[]; refused: number[] } {
  const outcomes = (['csv', 'json', 'ndjson'] as const).flatMap((format) =>
    [decodeBars, decodeStrictly].map((decoder) => {
      const { batch, errors } = decoder(bodyOf(rows, format), format, 'skip', Infinity, symbolCase);
      for (const { code } of errors) expect(code).toBe('symbol-case-conflict');
      return {
        symbols: barsOf(batch).map(({ symbol }) => symbol),
        refused: errors.map(({ line }) => line),
      };
    }),
  );
  const [first] = outcomes;
  if (first === undefined) throw new Error('nothing was decoded');
  for (const outcome of outcomes) expect(outcome).toEqual(first);
  return first;
}

describe('the symbols of a body', () => {
  it('keep their case for the providers named, and for all with *', () => {
    const rows: Row[] = [
      ['polygon', 'BCpC'],
      ['polygon', 'BCPC'],
      ['ibkr', 'spy'],
    ];
    expect(decode(rows, POLYGON)).toEqual({ symbols: ['BCpC', 'BCPC', 'SPY'], refused: [] });
    expect(decode(rows, EVERY)).toEqual({ symbols: ['BCpC', 'BCPC', 'spy'], refused: [] });
    // What was learned of the same bytes under another rule is forgotten.
    expect(decode(rows, UPPER_CASE)).toEqual({ symbols: ['BCPC', 'SPY'], refused: [2] });
    expect(decode(rows, POLYGON)).toEqual({ symbols: ['BCpC', 'BCPC', 'SPY'], refused: [] });
  });

  it('are refused from the second spelling on, in every row and interval', () => {
    const rows: Row[] = [
      ['ibkr', 'SPY', '1m'],
      ['ibkr', 'QQQ'],
      ['ibkr', 'spy'],
      ['ibkr', 'SPY'],
      ['ibkr', 'spy'],
      ['ibkr', 'qqq', '1m'],
      ['other', 'spy'],
      ['ibkr', 'voo'],
      ['ibkr', 'Voo', '5m'],
      ['ibkr', 'voo', '5m'],
    ];
    expect(decode(rows, POLYGON)).toEqual({
      symbols: ['SPY', 'QQQ', 'SPY', 'SPY', 'VOO', 'VOO'],
      refused: [3, 5, 6, 9],
    });
  });

  it('may be spelled otherwise in the next body, and after a bad row', () => {
    expect(decode([['ibkr', 'spy']], UPPER_CASE).symbols).toEqual(['SPY']);
    expect(decode([['ibkr', 'SPY']], UPPER_CASE).symbols).toEqual(['SPY']);
    const text = `${jsonRow({ symbol: '"spy"', volume: '-1' })}\n${jsonRow()}\n${jsonRow({ symbol: '"spy"' })}`;
    for (const decoder of [decodeBars, decodeStrictly]) {
      const { errors } = decoder(Buffer.from(text), 'ndjson', 'skip');
      expect(errors.map(({ line, code }) => `${line} ${code}`)).toEqual([
        ...['1 negative-volume', '3 symbol-case-conflict'],
      ]);
    }
  });
});

const anyRow: fc.Arbitrary<Row> = fc.tuple(
  fc.constantFrom('ibkr', 'polygon'),
  fc.constantFrom('SPY', 'spy', 'Spy', 'VOO', 'voo'),
  fc.constantFrom('1m', '1d', '5min'),
);

/** What `decode` must give: the first spelling of a symbol of a provider that is not named decides. */
function model(rows: readonly Row[], keepsCase: (provider: string) => boolean): ReturnType<typeof decode> {
  const spellings = new Map<string, string>();
  const symbols: string[] = [];
  const refused: number[] = [];
  rows.forEach(([provider, symbol], row) => {
    const stored = keepsCase(provider) ? symbol : symbol.toUpperCase();
    const first = spellings.get(`${provider} ${stored}`) ?? symbol;
    spellings.set(`${provider} ${stored}`, first);
    if (first === symbol) symbols.push(stored);
    else refused.push(row + 1);
  });
  return { symbols, refused };
}

describe('scanning and parsing', () => {
  it('agree on every mix of spellings, whatever rule the body before had', () => {
    fc.assert(
      fc.property(
        fc.array(anyRow, { minLength: 1, maxLength: 12 }),
        fc.constantFrom(UPPER_CASE, POLYGON, EVERY),
        (rows, symbolCase) => {
          expect(decode(rows, symbolCase)).toEqual(model(rows, (provider) => symbolCase.keeps(provider)));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a question for symbols', () => {
  it('means them as they are written for providers whose symbols keep their case, else in upper case', () => {
    const symbols = ['BCpC'];
    expect(UPPER_CASE.asked({ symbols })).toEqual({ symbols: ['BCPC'] });
    expect(POLYGON.asked({ symbols, provider: 'polygon' })).toEqual({ symbols });
    expect(POLYGON.asked({ symbols, provider: 'ibkr' })).toEqual({ symbols: ['BCPC'] });
    expect(POLYGON.asked({ symbols })).toEqual({
      symbols: ['BCPC', 'BCpC'],
      caseSensitive: { providers: ['polygon'], symbols },
    });
    expect(EVERY.asked({ symbols })).toEqual({ symbols });
    expect(POLYGON.asked({})).toEqual({});
  });
});
