import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { seriesPages, type StoredSeries } from '../../src/bars/read/series.pages.js';
import type { SeriesFilter } from '../../src/bars/read/series.filter.js';
import { SeriesStore } from '../../src/bars/series.store.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

let test: TestDatabase;
let client: Client;
/** As when the pool makes a connection. */
let connected = (): void => undefined;
const store = new SeriesStore({ onConnect: (listener) => (connected = listener) });

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
  for await (const page of seriesPages(client, store, filter, 10, from)) series.push(...page);
  return series;
}

const symbolsOf = async (filter: SeriesFilter) => (await read(filter)).map(({ symbol }) => symbol);

const insert = (symbol: string, interval = '1d') =>
  test.query(`INSERT INTO series (provider, symbol, interval) VALUES ('p', $1, $2)`, [symbol, interval]);

describe('the only series that can match', () => {
  it('is asked for once, until a connection is made that may lead to another server', async () => {
    await insert('ONE');
    const stored = await test.query(`SELECT id, provider, symbol, interval FROM series WHERE symbol = 'ONE'`);
    await expect(read(only('ONE'))).resolves.toEqual(stored);
    await test.query(`DELETE FROM series WHERE symbol = 'ONE'`);
    await expect(read(only('ONE'))).resolves.toEqual(stored);
    connected();
    await expect(read(only('ONE'))).resolves.toEqual([]);
  });

  it('is asked for again when it was not there', async () => {
    await expect(symbolsOf(only('LATER'))).resolves.toEqual([]);
    await insert('LATER');
    await expect(symbolsOf(only('LATER'))).resolves.toEqual(['LATER']);
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
    await expect(symbolsOf({ ...only('MANY'), provider: 'q' })).resolves.toEqual([]);
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
