/** Files in forms that people have, with invented numbers (`files/`); their columns are renamed where they must be. */
import { readFileSync } from 'node:fs';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { read, ServedDatabase, TYPES } from '../api/api.samples.js';

const served = new ServedDatabase({ MDS_CASE_SENSITIVE_PROVIDERS: 'polygon' });
beforeEach(() => served.clear());

const linesOf = (name: string): string[] =>
  readFileSync(`test/findings/files/${name}`, 'utf8').trimEnd().split(/\r?\n/);

/** The file with more columns in front and others renamed; `time` makes a time of the texts in the column `ts`. */
function adapted(
  name: string,
  more: Readonly<Record<string, string>>,
  renamed: Readonly<Record<string, string>>,
  time = (text: string): string => text,
): string {
  const [header = '', ...rows] = linesOf(name);
  const columns = header.split(',').map((column) => renamed[column] ?? column.toLowerCase());
  const lines = rows.map((row) =>
    [
      ...Object.values(more),
      ...row.split(',').map((value, at) => (columns[at] === 'ts' ? time(value) : value)),
    ].join(','),
  );
  return [[...Object.keys(more), ...columns].join(','), ...lines, ''].join('\n');
}

const DAILY = { provider: 'file', symbol: 'AAPL', interval: '1d' };
const STOOQ = {
  ...{ '<TICKER>': 'symbol', '<DATE>': 'ts', '<OPEN>': 'open', '<HIGH>': 'high', '<LOW>': 'low' },
  ...{ '<CLOSE>': 'close', '<VOL>': 'volume' },
};
const POLYGON = { ticker: 'symbol', window_start: 'ts' };
const MINUTES = { provider: 'polygon', interval: '1m' };

describe('a file whose times are dates without hyphens, or counts', () => {
  it.each([
    ['ibkr-daily.csv', adapted('ibkr-daily.csv', DAILY, { date: 'ts' }), 'send a date as YYYY-MM-DD'],
    [
      'stooq-daily.txt',
      adapted('stooq-daily.txt', { provider: 'file', interval: '1d' }, STOOQ),
      'send a date as YYYY-MM-DD',
    ],
    ['excel-serial-dates.csv', adapted('excel-serial-dates.csv', DAILY, { date: 'ts' }), 'a count of days'],
    ['polygon-flat-file.csv', adapted('polygon-flat-file.csv', MINUTES, POLYGON), 'divided by 1,000,000,000'],
  ])('is refused row by row with the hint: %s', async (name, body, hint) => {
    const { status, json } = await served.service.post(body, TYPES.csv);
    expect({ status, rejected: json['rejected'] }).toEqual({
      status: 422,
      rejected: linesOf(name).length - 1,
    });
    for (const { pointer, detail } of json.errors ?? []) {
      expect(pointer).toBe('/ts');
      expect(detail).toContain(hint);
    }
    expect(await served.stored()).toMatchObject({ bars: 0 });
  });
});

describe('a file that is not separated by commas', () => {
  it.each([
    ['european-excel.csv', 'semicolons'],
    ['metatrader5-daily.tsv', 'tabs'],
  ])('is refused with the separator that it seems to have: %s', async (name, separator) => {
    const { status, json } = await served.service.post(`${linesOf(name).join('\n')}\n`, TYPES.csv);
    expect([status, json['detail']]).toEqual([400, expect.stringContaining(`separated by ${separator}`)]);
  });
});

describe('a file of which only the columns are renamed', () => {
  it('is stored as it is, without the adjusted close, which is named', async () => {
    const { json } = await served.service.post(adapted('yahoo-daily.csv', DAILY, { Date: 'ts' }), TYPES.csv);
    expect(json).toMatchObject({ accepted: 6, inserted: 6, ignored_fields: ['adj close'] });
    const bars = read(await served.get('/v1/bars?provider=file'), 'json');
    expect(bars.map(({ ts, close }) => `${ts} ${close}`)).toEqual(
      linesOf('yahoo-daily.csv')
        .slice(1)
        .map((line) => {
          const [date = '', , , , close] = line.split(',');
          return `${date}T00:00:00Z ${Number(close)}`;
        }),
    );
  });

  it('is stored to the last place, though a high is one below its open', async () => {
    const time = (text: string) => text.replace(' ', 'T');
    const body = adapted('yfinance-history.csv', DAILY, { Date: 'ts' }, time);
    const { json } = await served.service.post(body, TYPES.csv);
    expect(json).toMatchObject({ accepted: 7, ignored_fields: ['dividends', 'stock splits'] });
    expect(read(await served.get('/v1/bars?start=2024-01-09'), 'json')).toMatchObject([
      { ts: '2024-01-09T05:00:00Z', open: 7.578763484954834, high: 7.578763484954833 },
    ]);
  });

  it('keeps BCpC and BCPC apart, which one body of another provider may not have', async () => {
    const time = (text: string) => String(Number(text) / 1e9);
    const body = adapted('polygon-flat-file.csv', MINUTES, POLYGON, time);
    const { json } = await served.service.post(body, TYPES.csv);
    expect(json).toMatchObject({ accepted: 8, inserted: 8, ignored_fields: ['transactions'] });
    const bars = read(await served.get('/v1/bars?provider=polygon&symbols=BCpC,BCPC'), 'json');
    expect(bars.map(({ symbol, close }) => [symbol, close])).toEqual([
      ['BCPC', 157],
      ['BCpC', 0.4],
    ]);
    const other = await served.service.post(body.replaceAll('polygon', 'other'), TYPES.csv);
    expect(other.status).toBe(422);
    expect(other.json.errors).toMatchObject([{ line: 8, code: 'symbol-case-conflict' }]);
  });
});
