import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { seriesPages, type StoredSeries } from '../../src/bars/read/series.pages.js';
import type { SeriesFilter } from '../../src/bars/read/series.filter.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

let test: TestDatabase;
let client: Client;

beforeAll(async () => {
  test = await createDatabase();
  client = new Client({ connectionString: test.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await test.drop();
});

const only = (symbol: string): SeriesFilter => ({ provider: 'p', symbols: [symbol], interval: '1d' });

async function read(filter: SeriesFilter, from?: string): Promise<StoredSeries[]> {
  const series: StoredSeries[] = [];
  for await (const page of seriesPages(client, filter, 10, from)) series.push(...page);
  return series;
}

const symbolsOf = async (filter: SeriesFilter) => (await read(filter)).map(({ symbol }) => symbol);

const insert = (symbol: string, interval = '1d') =>
  test.query(`INSERT INTO series (provider, symbol, interval) VALUES ('p', $1, $2)`, [symbol, interval]);

describe('the only series that can match', () => {
  it('is not asked for: the statement that reads its bars finds it', async () => {
    await expect(read(only('ONE'))).resolves.toEqual([
      { provider: 'p', symbol: 'ONE', interval: '1d', id: undefined },
    ]);
  });

  it('is not mistaken for others', async () => {
    await insert('MANY');
    await insert('MANY', '1m');
    await insert('MORE');
    await expect(symbolsOf(only('MANY'))).resolves.toEqual(['MANY']);
    await expect(symbolsOf({ ...only('MANY'), interval: undefined })).resolves.toEqual(['MANY', 'MANY']);
    await expect(symbolsOf({ ...only('MANY'), symbols: ['MANY', 'MORE'] })).resolves.toEqual([
      'MANY',
      'MORE',
    ]);
  });

  it('is on the page that begins with its symbol, and behind it no more', async () => {
    await insert('PAGE');
    for (const [from, found] of [
      ['PAGE', 1],
      ['PA', 1],
      ['PAGE ', 0],
      ['Z', 0],
    ] as const) {
      await expect(read(only('PAGE'), from)).resolves.toHaveLength(found);
    }
  });
});

describe('the series of a symbol', () => {
  it('are never on two pages, though the page ends between them', async () => {
    for (let symbol = 0; symbol < 9; symbol++) await insert(`T${symbol}`);
    for (const interval of ['1d', '1h', '1m', '5m']) await insert('T9', interval);
    await insert('U');
    const pages: string[][] = [];
    for await (const page of seriesPages(client, {}, 10, 'T'))
      pages.push(page.map(({ symbol, interval }) => `${symbol} ${interval}`));
    expect(pages[0]?.slice(-4)).toEqual(['T9 1d', 'T9 1h', 'T9 1m', 'T9 5m']);
    expect(pages.flat().filter((name) => name.startsWith('T9'))).toHaveLength(4);
    expect(pages.flat()).toContain('U 1d');
  });
});
