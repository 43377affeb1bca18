import { randomBytes } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Client, type PoolClient } from 'pg';

import { SeriesStore } from '../../src/bars/series.store.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

let primary: TestDatabase;
let store: SeriesStore;
const ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  primary = await createDatabase();
  store = new SeriesStore();
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await primary.drop();
});

const nameOf = (symbol: string) => `p ${symbol} 1d`;

async function connect(url: string): Promise<PoolClient> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  ends.push(() => client.end());
  // What a pool's client has besides, nobody asks for here.
  return client as unknown as PoolClient;
}

/** A copy of the primary as it is now: what a server has that was promoted, or restored. */
async function copyOfPrimary(): Promise<string> {
  const name = `copy_${randomBytes(6).toString('hex')}`;
  const admin = new URL(primary.url);
  const source = admin.pathname.slice(1);
  admin.pathname = '/postgres';
  const client = new Client({ connectionString: admin.href });
  await client.connect();
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()`,
    [source],
  );
  await client.query(`CREATE DATABASE ${name} TEMPLATE ${source}`);
  ends.push(async () => {
    await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await client.end();
  });
  admin.pathname = `/${name}`;
  return admin.href;
}

/** The ids that the store gives on this connection, with the symbols that they stand for there. */
async function resolved(client: PoolClient, symbols: readonly string[], by = store): Promise<string[]> {
  const [ids = new Int32Array()] = await by.begin(client, [symbols.map(nameOf)]);
  const { rows } = await client.query<{ id: number; symbol: string }>('SELECT id, symbol FROM series');
  await client.query('COMMIT');
  const symbolOf = new Map(rows.map(({ id, symbol }) => [id, symbol]));
  return [...ids].map((id) => symbolOf.get(id) ?? `nothing has the id ${id}`);
}

describe('An id of a series', () => {
  it('is looked up again on an older copy of the database that gave it to another series', async () => {
    // The suite's own connection would keep the database from being copied.
    const client = await connect(primary.url);
    expect(await resolved(client, ['OLD'])).toEqual(['OLD']);
    const copy = await copyOfPrimary();
    const current = await connect(primary.url);
    expect(await resolved(current, ['AAPL', 'MSFT'])).toEqual(['AAPL', 'MSFT']);

    const older = await connect(copy);
    const other = new SeriesStore();
    expect(await resolved(older, ['GOOG'], other)).toEqual(['GOOG']);
    expect(await resolved(older, ['AAPL', 'MSFT', 'OLD'])).toEqual(['AAPL', 'MSFT', 'OLD']);
    // And back, as behind a pooler that has not made up its mind.
    for (let turn = 0; turn < 3; turn++) {
      expect(await resolved(current, ['AAPL', 'OLD', `NEW${turn}`])).toEqual(['AAPL', 'OLD', `NEW${turn}`]);
      expect(await resolved(older, ['GOOG', 'AAPL', `NEW${turn}`])).toEqual(['GOOG', 'AAPL', `NEW${turn}`]);
    }
  });

  it.each([
    ['TRUNCATE and a reload', 'TRUNCATE series RESTART IDENTITY'],
    ['a deletion', 'DELETE FROM series'],
    ['a change of names', `UPDATE series SET symbol = CASE symbol WHEN 'A' THEN 'B' ELSE 'A' END`],
    [
      'a change with triggers switched off',
      `ALTER TABLE series DISABLE TRIGGER ALL;
       UPDATE series SET symbol = symbol || '2';
       UPDATE series SET symbol = CASE symbol WHEN 'A2' THEN 'B' ELSE 'A' END;
       ALTER TABLE series ENABLE TRIGGER ALL;
       ALTER TABLE series ENABLE ALWAYS TRIGGER series_changed`,
    ],
    [
      'a change by a role that replicates',
      `SET session_replication_role = replica; DELETE FROM series; SET session_replication_role = origin`,
    ],
  ])('is looked up again after %s', async (_, change) => {
    const client = await connect(primary.url);
    expect(await resolved(client, ['A', 'B'])).toEqual(['A', 'B']);
    // The unique key is checked row by row.
    const statement = change.startsWith('UPDATE')
      ? change.replace('series SET', 'series SET provider = provider || symbol,')
      : change;
    await client.query(statement);
    await client.query(
      `INSERT INTO series (provider, symbol, interval) VALUES ('p', 'B', '1d') ON CONFLICT DO NOTHING`,
    );
    expect(await resolved(client, ['A', 'B'])).toEqual(['A', 'B']);
  });

  it('keeps its meaning until the end of the transaction: a change waits', async () => {
    const writer = await connect(primary.url);
    const editor = await connect(primary.url);
    for (const change of ['DELETE FROM series', 'TRUNCATE series', `UPDATE series SET symbol = 'X'`]) {
      const [ids] = await store.begin(writer, [[nameOf('A')]]);
      let changed = false;
      const edit = editor.query(change).then(() => (changed = true));
      await eventually('the change waits', async () => {
        const waiting = await primary.query('SELECT FROM pg_locks WHERE NOT granted');
        return waiting.length > 0;
      });
      const { rows } = await writer.query('SELECT id FROM series WHERE symbol = $1', ['A']);
      expect([rows, changed]).toEqual([[{ id: ids?.[0] }], false]);
      await writer.query('COMMIT');
      await edit;
      expect(await resolved(writer, ['A'])).toEqual(['A']);
    }
  });

  it('is given to no new series while bars have it, though the table was emptied and its sequence restarted', async () => {
    const client = await connect(primary.url);
    await resolved(client, ['A', 'B', 'C']);
    await client.query(`INSERT INTO bars SELECT id, now(), 1, 1, 1, 1, 1, now() FROM series`);
    await client.query('TRUNCATE series RESTART IDENTITY');
    expect(await resolved(client, ['D', 'E'])).toEqual(['D', 'E']);
    const { rows } = await client.query('SELECT symbol FROM bars JOIN series ON id = series_id');
    expect(rows).toEqual([]);
  });

  it('is made by two stores at once, and is the same for both', async () => {
    const [one, two] = [new SeriesStore(), new SeriesStore()];
    const [first, second] = [await connect(primary.url), await connect(primary.url)];
    for (let round = 0; round < 10; round++) {
      const symbols = Array.from({ length: 20 }, (_, index) => `R${round}S${index}`);
      const both = await Promise.all([
        resolved(first, symbols, one),
        resolved(second, [...symbols].reverse(), two),
      ]);
      expect(both).toEqual([symbols, [...symbols].reverse()]);
    }
  });

  it('is remembered while others add series in the same process, without a look-up', async () => {
    const client = await connect(primary.url);
    await resolved(client, ['A', 'B']);
    const asked: string[] = [];
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    client.query = ((...args: unknown[]) => {
      if (typeof args[0] === 'string') asked.push(args[0]);
      return query(...args);
    }) as typeof client.query;
    await resolved(client, ['A', 'C']);
    expect(asked.filter((text) => text.includes('INSERT INTO series'))).toHaveLength(1);
    asked.length = 0;
    expect(await resolved(client, ['A', 'B', 'C'])).toEqual(['A', 'B', 'C']);
    expect(asked.filter((text) => text.includes('unnest'))).toEqual([]);
  });

  it('never stands for another series, whatever is done to the tables and whichever server answers', async () => {
    const copy = await copyOfPrimary();
    const servers = [await connect(primary.url), await connect(copy)];
    const symbol = fc.constantFrom('A', 'B', 'C', 'D', 'E');
    const server = fc.nat({ max: 1 });
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          use: fc.array(symbol, { minLength: 1, maxLength: 4 }),
          by: fc.nat({ max: 1 }),
          server,
        }),
      },
      { weight: 1, arbitrary: fc.record({ drop: symbol, server }) },
      { weight: 1, arbitrary: fc.record({ truncate: fc.boolean(), server }) },
      { weight: 1, arbitrary: fc.record({ rename: symbol, server }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const stores = [new SeriesStore(), new SeriesStore()];
        for (const one of steps) {
          const client = servers[one.server];
          if (!client) throw new Error('there is no such server');
          if ('use' in one) {
            const symbols = [...new Set(one.use)];
            expect(await resolved(client, symbols, stores[one.by])).toEqual(symbols);
          } else if ('drop' in one) {
            await client.query('DELETE FROM series WHERE symbol = $1', [one.drop]);
          } else if ('rename' in one) {
            await client.query(`UPDATE series SET provider = 'q' || id WHERE symbol = $1`, [one.rename]);
          } else {
            await client.query(`TRUNCATE series ${one.truncate ? 'RESTART IDENTITY' : ''}`);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
