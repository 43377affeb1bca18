import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { seriesPages } from '../../src/bars/read/series.pages.js';
import type { SeriesFilter } from '../../src/bars/read/series.filter.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

let test: TestDatabase;
const clients: Client[] = [];

beforeAll(async () => {
  test = await createDatabase();
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await test.drop();
});

async function connection(): Promise<Client> {
  const client = new Client({ connectionString: test.url });
  await client.connect();
  clients.push(client);
  return client;
}

const only = (symbol: string): SeriesFilter => ({ provider: 'p', symbols: [symbol], interval: '1d' });

async function symbolsOf(client: Client, filter: SeriesFilter): Promise<string[]> {
  const symbols: string[] = [];
  for await (const page of seriesPages(client, filter, 10)) symbols.push(...page.map(({ symbol }) => symbol));
  return symbols;
}

const insert = (symbol: string, interval = '1d') =>
  test.query(`INSERT INTO series (provider, symbol, interval) VALUES ('p', $1, $2)`, [symbol, interval]);

describe('the only series that can match', () => {
  it('is asked for once on each connection', async () => {
    await insert('ONE');
    const [first, second] = [await connection(), await connection()];
    await expect(symbolsOf(first, only('ONE'))).resolves.toEqual(['ONE']);
    await test.query(`DELETE FROM series WHERE symbol = 'ONE'`);
    await expect(symbolsOf(first, only('ONE'))).resolves.toEqual(['ONE']);
    // Another connection may lead to another server.
    await expect(symbolsOf(second, only('ONE'))).resolves.toEqual([]);
  });

  it('is asked for again when it was not there', async () => {
    const client = await connection();
    await expect(symbolsOf(client, only('LATER'))).resolves.toEqual([]);
    await insert('LATER');
    await expect(symbolsOf(client, only('LATER'))).resolves.toEqual(['LATER']);
  });

  it('is not mistaken for others', async () => {
    await insert('MANY');
    await insert('MANY', '1m');
    await insert('MORE');
    const client = await connection();
    await expect(symbolsOf(client, only('MANY'))).resolves.toEqual(['MANY']);
    await expect(symbolsOf(client, { ...only('MANY'), interval: undefined })).resolves.toEqual([
      'MANY',
      'MANY',
    ]);
    await expect(symbolsOf(client, { ...only('MANY'), symbols: ['MANY', 'MORE'] })).resolves.toEqual([
      'MANY',
      'MORE',
    ]);
    await expect(symbolsOf(client, { ...only('MANY'), provider: 'q' })).resolves.toEqual([]);
  });
});
