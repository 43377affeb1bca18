import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client, type PoolClient } from 'pg';

import { BarReader } from '../../src/bars/read/bar.reader.js';
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

/** A reader on whose connection `then` runs after each statement. */
function reader(then: () => Promise<unknown>): BarReader {
  const answered = new Proxy(client, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (property !== 'query' || typeof value !== 'function') return value;
      return (...parts: unknown[]): unknown => {
        const result: unknown = value.apply(target, parts);
        return result instanceof Promise
          ? result.then(async (rows: unknown) => {
              await then();
              return rows;
            })
          : result;
      };
    },
  }) as unknown as PoolClient;
  return new BarReader({ read: (work) => work(answered) });
}

/** Symbol and close of each bar. */
function barsIn(pieces: readonly Buffer[]): [string, number][] {
  const text = Buffer.concat([...pieces]).toString();
  const bars = JSON.parse(`[${text.slice(1)}]`) as { symbol: string; close: number }[];
  return bars.map(({ symbol, close }) => [symbol, close]);
}

/** The same ids for other symbols. */
async function load(symbols: readonly string[]): Promise<void> {
  await test.query('DELETE FROM series');
  await test.query(
    `INSERT INTO series (id, provider, symbol, interval)
     SELECT place + 10, 'p', symbol, '1d' FROM unnest($1::text[]) WITH ORDINALITY AS new (symbol, place)`,
    [symbols],
  );
}

describe('a page of bars', () => {
  beforeEach(async () => {
    await test.query('TRUNCATE series, bars');
    await load(['AAPL', 'MSFT']);
    await test.query(
      `INSERT INTO bars SELECT id, '2026-01-05Z', 1, 999, 0, id * 10, 5, '2026-06-01Z' FROM series`,
    );
  });

  it.each([
    ['page', (from: BarReader, symbols: string[]) => from.page({ symbols, sort: 'asc' }, 'json', 10)],
    ['page of latest bars', (from: BarReader, symbols: string[]) => from.latest({ symbols }, 'json', 10)],
  ])('that is a %s has no bar of another series that gets the id meanwhile', async (_name, read) => {
    let reloads = 0;
    const reload = async () => {
      if (++reloads > 2) return;
      await load(['GOOG', 'IBM']);
      await test.query('UPDATE bars SET close = series_id * 20');
    };
    const { pieces } = await read(reader(reload), ['AAPL', 'MSFT']);
    expect(reloads).toBeGreaterThan(1);
    expect([
      [],
      [
        ['AAPL', 110],
        ['MSFT', 120],
      ],
    ]).toContainEqual(barsIn(pieces));
    const after = await read(
      reader(() => Promise.resolve()),
      ['AAPL', 'GOOG', 'IBM', 'MSFT'],
    );
    expect(barsIn(after.pieces)).toEqual([
      ['GOOG', 220],
      ['IBM', 240],
    ]);
  });

  it('is found by any name that a symbol can have', async () => {
    const symbol = String.raw`IT'S\"%$1`;
    await load([symbol]);
    const filter = { provider: 'p', symbols: [symbol], interval: '1d' };
    const { pieces, last } = await reader(() => Promise.resolve()).page(
      { ...filter, sort: 'asc' },
      'json',
      10,
    );
    expect(barsIn(pieces)).toEqual([[symbol, 110]]);
    expect(last).toBeUndefined();
    const latest = await reader(() => Promise.resolve()).latest(filter, 'json', 10);
    expect(barsIn(latest.pieces)).toEqual([[symbol, 110]]);
    expect(latest.last).toBeUndefined();
  });
});
