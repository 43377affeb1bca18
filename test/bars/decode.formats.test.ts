import { describe, expect, it } from '@jest/globals';
import { decodeBars, type BodyFormat } from '../../src/bars/decode/bars.decoder.js';
import { formatTimestamp } from '../../src/bars/timestamp.js';
import { barsOf, csvRow, decodeText, GOOD_ROW, jsonRow } from './decode.samples.js';

const FORMATS: readonly BodyFormat[] = ['json', 'ndjson', 'csv'];
const BODY: Record<BodyFormat, string> = {
  json: `[${jsonRow()},${jsonRow({ symbol: '"QQQ"' })}]`,
  ndjson: `${jsonRow()}\n${jsonRow({ symbol: '"QQQ"' })}\n`,
  csv: `${csvRow()}${csvRow({ symbol: 'QQQ' }).split('\n').slice(1).join('\n')}`,
};

function lineErrors(text: string, format: BodyFormat): string[] {
  return decodeText(text, format).errors.map(({ line, pointer, code }) => `${line} ${pointer} ${code}`);
}

describe('decodeBars', () => {
  it('makes byte-identical batches of the same 500 bars in every format', () => {
    const rows = Array.from({ length: 500 }, (_, day) => {
      const close = 100 * Math.exp(Math.sin(day * 12.9898) / 3);
      const micros = Date.UTC(2022, 0, 1 + day) * 1000 + (day % 3 === 0 ? day : 0);
      return {
        ...GOOD_ROW,
        ts: formatTimestamp(micros),
        open: close * 0.99,
        high: close * 1.01,
        low: close * 0.98,
        close,
        volume: day * 1e6 + 0.1,
      };
    });
    const header = Object.keys(GOOD_ROW).reverse();
    const csv = rows.map((row) => Object.values(row).reverse().join(','));
    const batches = [
      decodeText(JSON.stringify(rows), 'json').batch,
      decodeText(JSON.stringify({ bars: rows }), 'json').batch,
      decodeText(rows.map((row) => JSON.stringify(row)).join('\n'), 'ndjson').batch,
      decodeText([header.join(','), ...csv].join('\r\n'), 'csv').batch,
    ];
    expect(batches[0]).toMatchObject({ rows: 500, lines: 500, years: new Set([2022, 2023]) });
    for (const batch of batches) expect(batch).toEqual(batches[0]);
    expect(barsOf(batches[0] ?? null).map((bar) => bar.prices)).toEqual(
      rows.map(({ open, high, low, close, volume }) => [open, high, low, close, volume]),
    );
  });

  it.each(FORMATS)(
    'reads a %s body with LF or CRLF, with or without a final newline, with a byte order mark',
    (format) => {
      const text = BODY[format].trimEnd();
      const expected = decodeText(text, format).batch;
      expect(expected?.rows).toBe(2);
      for (const same of [`${text}\n`, `${text}\n`.replaceAll('\n', '\r\n'), `${text}\r`, `\ufeff${text}`]) {
        expect(decodeText(same, format)).toEqual({
          batch: expected,
          rejected: 0,
          errors: [],
          errorsTruncated: false,
          ignoredFields: [],
          ignoredFieldsTruncated: false,
          rejectedByCode: new Map(),
        });
      }
    },
  );

  it.each(FORMATS)('finds no rows in an empty %s body', (format) => {
    for (const text of ['', '\n', '\r\n\r\n', '\ufeff']) {
      expect(decodeText(text, format)).toEqual({
        batch: null,
        rejected: 0,
        errors: [],
        errorsTruncated: false,
        ignoredFields: [],
        ignoredFieldsTruncated: false,
        rejectedByCode: new Map(),
      });
    }
  });

  it.each([
    ['json', '[]'],
    ['json', '{"bars":[]}'],
    ['csv', csvRow().split('\n')[0] ?? ''],
  ] as const)('finds no rows in the %s body %s', (format, text) => {
    expect(decodeText(text, format)).toMatchObject({ batch: null, rejected: 0 });
  });

  it.each(FORMATS)('refuses a %s body that is not UTF-8 and names the line', (format) => {
    const [head, tail] = BODY[format].split('QQQ');
    const body = Buffer.concat([Buffer.from(head ?? ''), Buffer.from([0xff]), Buffer.from(tail ?? '')]);
    const line = { json: 1, ndjson: 2, csv: 3 }[format];
    expect(() => decodeBars(body, format, 'skip')).toThrow(
      expect.objectContaining({
        name: 'MalformedBodyError',
        message: `The body is not UTF-8: line ${line} has invalid bytes.`,
      }),
    );
  });

  it.each(FORMATS)('refuses a %s body cut inside a character, an encoded surrogate and UTF-16', (format) => {
    const cut = Buffer.from(BODY[format] + '€').subarray(0, -1);
    const surrogate = Buffer.concat([Buffer.from(BODY[format]), Buffer.from([0xed, 0xa0, 0x80])]);
    for (const body of [cut, surrogate, Buffer.from(`\ufeff${BODY[format]}`, 'utf16le')]) {
      expect(() => decodeBars(body, format, 'skip')).toThrow(
        expect.objectContaining({ name: 'MalformedBodyError' }),
      );
    }
  });

  it.each(FORMATS)('refuses a %s body with a NUL byte and names its offset', (format) => {
    expect(() => decodeText(`${BODY[format]}\0`, format)).toThrow(
      `NUL byte at offset ${BODY[format].length}`,
    );
  });

  it('keeps nothing of a body with a bad row, or the good rows, as asked', () => {
    const body = Buffer.from([jsonRow(), jsonRow({ close: '"2"' }), jsonRow({ symbol: '"QQQ"' })].join('\n'));
    const abort = decodeBars(body, 'ndjson', 'abort');
    const skip = decodeBars(body, 'ndjson', 'skip');
    expect(abort).toMatchObject({
      batch: null,
      rejected: 1,
      errors: [{ line: 2, pointer: '/close', code: 'wrong-type' }],
    });
    expect(skip).toMatchObject({ rejected: 1, errors: abort.errors });
    expect(barsOf(skip.batch).map((bar) => bar.symbol)).toEqual(['SPY', 'QQQ']);
  });

  it('keeps the first 100 errors, counts all when rows may be skipped, and stops reading when they may not', () => {
    const body = (bad: number): Buffer => Buffer.from('{\n'.repeat(bad) + jsonRow());
    expect(decodeBars(body(100), 'ndjson', 'skip')).toMatchObject({ rejected: 100, errorsTruncated: false });
    expect(decodeBars(body(100), 'ndjson', 'abort')).toMatchObject({ rejected: 100, errorsTruncated: false });
    const skip = decodeBars(body(500), 'ndjson', 'skip');
    expect(skip).toMatchObject({ rejected: 500, errorsTruncated: true, batch: { rows: 1 } });
    expect(skip.errors.map((error) => error.line)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    const abort = decodeBars(body(500), 'ndjson', 'abort');
    expect(abort).toMatchObject({ batch: null, rejected: 101, errorsTruncated: true });
    expect(abort.errors).toEqual(skip.errors);
  });

  it('lets a later row of one series and instant win', () => {
    const text = [jsonRow(), jsonRow({ ts: '1704153600', close: '1' })].join('\n');
    const { batch } = decodeText(text, 'ndjson');
    expect(batch).toMatchObject({ rows: 1, lines: 2 });
    expect(barsOf(batch)[0]?.prices[3]).toBe(1);
  });
});

describe('a JSON body', () => {
  it('may be one row, whatever unknown fields it has', () => {
    const { batch } = decodeText(jsonRow({ bars: '7', note: '{"close":[null]}' }), 'json');
    expect(batch?.rows).toBe(1);
  });

  it.each([
    '{',
    'nope',
    '[1,]',
    `[${jsonRow()}`,
    jsonRow({ close: 'NaN' }),
    jsonRow({ close: 'Infinity' }),
    jsonRow({ close: '01.5' }),
    jsonRow({ close: '1.' }),
    jsonRow({ close: '+1' }),
    jsonRow({ close: '.5' }),
    jsonRow({ close: '0x10' }),
    `${jsonRow()}\n${jsonRow()}`,
    '"text"',
    '5',
    'null',
  ])('is malformed as %s', (text) => {
    expect(() => decodeText(text, 'json')).toThrow(expect.objectContaining({ name: 'MalformedBodyError' }));
  });

  it('keeps the reason of the parser as its cause', () => {
    expect(() => decodeText('{"a":1', 'json')).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('position 6'),
        cause: expect.any(SyntaxError),
      }),
    );
  });

  it('counts its elements from 1', () => {
    expect(lineErrors(`{"bars":[${jsonRow()},7,${jsonRow()},[]]}`, 'json')).toEqual([
      '2  not-an-object',
      '4  not-an-object',
    ]);
  });

  it('ignores unknown fields nested a thousand and a hundred thousand deep', () => {
    for (const depth of [1000, 100_000]) {
      const deep = '['.repeat(depth) + ']'.repeat(depth);
      expect(decodeText(jsonRow({ deep }), 'json').batch?.rows).toBe(1);
      expect(lineErrors(jsonRow({ close: deep }), 'json')).toEqual(['1 /close wrong-type']);
    }
  });
});

describe('an NDJSON body', () => {
  it('skips blank lines and counts them', () => {
    expect(lineErrors(`\n${jsonRow()}\n \t\r\n\n{}\n`, 'ndjson')).toEqual(['5 /provider missing-field']);
  });

  it('loses only the line that is not JSON', () => {
    const cut = jsonRow().slice(0, 50);
    const result = decodeText(`${jsonRow()}\nNaN\n${jsonRow({ close: '+1' })}\n${cut}`, 'ndjson');
    expect(result.batch?.lines).toBe(1);
    expect(result.errors.map(({ line, pointer, code }) => [line, pointer, code])).toEqual([
      [2, '', 'malformed-line'],
      [3, '', 'malformed-line'],
      [4, '', 'malformed-line'],
    ]);
  });

  it('refuses lines that are JSON but no object', () => {
    expect(lineErrors('1\n[]\nnull\n"x"', 'ndjson')).toEqual(
      [1, 2, 3, 4].map((line) => `${line}  not-an-object`),
    );
  });
});

describe('a CSV body', () => {
  const [header = '', row = ''] = csvRow().split('\n');

  it('takes its columns in any order, names those it does not know and trims their names', () => {
    const text =
      ' note ,volume,close,low,high,open, ts,interval,symbol,provider,note\nx,100,2,0.5,2.5,1.5,2024-01-02,1d,SPY,ibkr,\n';
    expect(decodeText(text, 'csv')).toEqual({ ...decodeText(csvRow(), 'csv'), ignoredFields: ['note'] });
  });

  it('reads quoted fields, doubled quotes, and commas and line ends inside quotes', () => {
    const text = `"note",${header}\r\n"a ""b"", c\r\n\n",${row.replace('SPY', '"SPY"')}\r\n"",${row.replace('SPY', '"S""P"')}\n`;
    const { batch, rejected } = decodeText(text, 'csv');
    expect(rejected).toBe(0);
    expect(barsOf(batch).map((bar) => bar.symbol)).toEqual(['SPY', 'S"P']);
  });

  it('takes ts as epoch seconds', () => {
    const at = (ts: string): unknown => barsOf(decodeText(csvRow({ ts }), 'csv').batch)[0]?.ts;
    expect(at('1704153600')).toBe(1_704_153_600_000_000);
    expect(at('1704153600.000001')).toBe(1_704_153_600_000_001);
    expect(at('-252374400')).toBe(-252_374_400_000_000);
  });

  it('skips empty lines without counting them as data rows', () => {
    expect(lineErrors(`\n${header}\n\n${row}\r\n\r\nx\n`, 'csv')).toEqual(['2  wrong-field-count']);
  });

  it('loses only the row with too many or too few fields or with a misplaced quote', () => {
    const text = [
      header,
      row,
      `${row},`,
      row.slice(5),
      `a"b,${row.slice(5)}`,
      `"a"b,${row.slice(5)}`,
      row,
    ].join('\n');
    expect(decodeText(text, 'csv').batch?.lines).toBe(2);
    expect(lineErrors(text, 'csv')).toEqual([
      '2  wrong-field-count',
      '3  wrong-field-count',
      '4  malformed-line',
      '5  malformed-line',
    ]);
  });

  it.each([
    ['has no usable header', row, 'lacks provider, symbol, interval, ts, open, high, low, close, volume'],
    ['lacks columns', header.replace('close,', '').replace('ts', 'TS'), 'lacks ts, close'],
    ['names a column twice', `${header},close`, 'more than one column close'],
    ['has a misplaced quote in its header', `a"b,${header}`, 'misplaced quote'],
    ['has an endless header', `${','.repeat(2000)}${header}`, 'more than 1,024 columns'],
    ['leaves a quote open', `${header}\n"${row}\n${row}\n`, `character ${header.length + 2} of`],
  ])('is malformed when it %s', (_, text, message) => {
    expect(() => decodeText(text, 'csv')).toThrow(
      expect.objectContaining({ name: 'MalformedBodyError', message: expect.stringContaining(message) }),
    );
  });

  it('refuses a row of half a million commas and of half a million doubled quotes', () => {
    const many = 500_000;
    expect(
      lineErrors(`${header}\n${','.repeat(many)}\n${row.replace('SPY', `"${'""'.repeat(many)}"`)}`, 'csv'),
    ).toEqual(['1  wrong-field-count', '2 /symbol invalid-symbol']);
  });
});
