import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, type PoolClient } from 'pg';

import { barBatchCodec } from '../../src/bars/bar.batch.codec.js';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import type { BarBatch } from '../../src/bars/bar.batch.js';
import { BarTrial } from '../../src/bars/bar.trial.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

const FIRST_TS = Date.UTC(2026, 0, 5) * 1000;
const MINUTE_US = 60_000_000;
const RECEIVED = Date.UTC(2026, 5, 1) * 1000;

let test: TestDatabase;
let client: Client;
let trial: BarTrial;

beforeAll(async () => {
  test = await createDatabase();
  client = new Client({ connectionString: test.url });
  await client.connect();
  trial = new BarTrial({ withClient: (work) => work(client as unknown as PoolClient) });
});
afterAll(async () => {
  await client.end();
  await test.drop();
});

function batch(symbol: string, closes: readonly number[], receivedAt = RECEIVED, from = FIRST_TS): BarBatch {
  const builder = new BarBatchBuilder();
  closes.forEach((close, bar) =>
    builder.add('p', symbol, '1m', from + bar * MINUTE_US, 1, 1_000, 0, close, 0.1),
  );
  return Object.assign(builder.finish(), { receivedAt });
}

function singlesOf(whole: BarBatch): BarBatch[] {
  return Array.from({ length: whole.rows }, (_, row) => barBatchCodec.slice(whole, row, row + 1));
}

async function store(symbol: string, closes: readonly number[], receivedAt = RECEIVED): Promise<void> {
  await test.query(`INSERT INTO series (provider, symbol, interval) VALUES ('p', $1, '1m')`, [symbol]);
  await test.query(
    `INSERT INTO bars SELECT id, to_timestamp($2::float8) + (n - 1) * interval '1 minute', 1, 1000, 0, close, 0.1,
            to_timestamp($4::float8)
       FROM series, unnest($3::float8[]) WITH ORDINALITY AS c (close, n) WHERE symbol = $1`,
    [symbol, FIRST_TS / 1e6, closes, receivedAt / 1e6],
  );
}

/** All that is stored, and where: an update, though rolled back, would be seen if it were not. */
const everything = () =>
  test.query(`SELECT 'bar' AS kind, b.*::text AS row, ctid::text FROM bars AS b
    UNION ALL SELECT 'series', s.*::text, ctid::text FROM series AS s
    UNION ALL SELECT 'revision', r.*::text, ctid::text FROM bar_revisions AS r ORDER BY 1, 2`);

async function during<T>(breakIt: string, mendIt: string, work: () => Promise<T>): Promise<T> {
  await test.query(breakIt);
  try {
    return await work();
  } finally {
    await test.query(mendIt);
  }
}

const raising = (event: string) => `
  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
  CREATE TRIGGER refuse ${event} ON bars FOR EACH ROW EXECUTE FUNCTION refuse()`;

describe('whether others are taken', () => {
  const refused = [batch('REFUSED', [1])];

  it('cannot be told of an empty table', async () => {
    await expect(trial.takesOthers(refused)).resolves.toEqual({ alike: undefined, any: undefined });
  });

  it('is told by a stored bar that is put back, of the same year first, and nothing is changed by it', async () => {
    await store('STORED', [1, 2, 3]);
    const before = await everything();
    await expect(trial.takesOthers(refused)).resolves.toEqual({ alike: true, any: true });
    const otherYear = [batch('REFUSED', [1], RECEIVED, Date.UTC(2027, 0, 5) * 1000)];
    await expect(trial.takesOthers(otherYear)).resolves.toEqual({ alike: undefined, any: true });
    await expect(trial.takesOthers([...refused, ...otherYear])).resolves.toEqual({ alike: true, any: true });
    expect(await everything()).toEqual(before);
  });

  it.each([
    'BEFORE INSERT',
    'AFTER INSERT',
    'BEFORE UPDATE',
    'AFTER UPDATE',
    'BEFORE INSERT OR UPDATE OR DELETE',
  ])('is denied while a trigger refuses every bar %s', async (event) => {
    const takes = await during(raising(event), 'DROP FUNCTION refuse CASCADE', () =>
      trial.takesOthers(refused),
    );
    expect(takes).toEqual({ alike: false, any: false });
  });

  it('is denied while a constraint refuses every bar, also one that is checked at the commit', async () => {
    const check = await during(
      'ALTER TABLE bars ADD CONSTRAINT none CHECK (close < 0) NOT VALID',
      'ALTER TABLE bars DROP CONSTRAINT none',
      () => trial.takesOthers(refused),
    );
    const deferred = await during(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
       CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON bars_2026 DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION refuse()`,
      'DROP FUNCTION refuse CASCADE',
      () => trial.takesOthers(refused),
    );
    expect([check, deferred]).toEqual([
      { alike: false, any: false },
      { alike: false, any: false },
    ]);
  });

  it('is told though one stored bar would be refused today', async () => {
    const takes = await during(
      'ALTER TABLE bars ADD CONSTRAINT not_one CHECK (close <> 1) NOT VALID',
      'ALTER TABLE bars DROP CONSTRAINT not_one',
      () => trial.takesOthers(refused),
    );
    expect(takes).toEqual({ alike: true, any: true });
  });

  it('cannot be told of a table from which nothing may be deleted', async () => {
    const takes = await during(raising('BEFORE DELETE'), 'DROP FUNCTION refuse CASCADE', () =>
      trial.takesOthers(refused),
    );
    expect(takes).toEqual({ alike: undefined, any: undefined });
  });

  it('is told though a partition of other years is locked, or of these', async () => {
    await test.query(
      `CREATE TABLE bars_1962 PARTITION OF bars FOR VALUES FROM ('1962-01-01T00:00Z') TO ('1963-01-01T00:00Z')`,
    );
    const old = [batch('REFUSED', [1], RECEIVED, Date.UTC(1962, 0, 5) * 1000)];
    const holder = new Client({ connectionString: test.url });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE bars_1962');
    await expect(trial.takesOthers(old)).resolves.toEqual({ alike: false, any: true });
    await expect(trial.takesOthers(refused)).resolves.toEqual({ alike: true, any: true });
    await holder.query('ROLLBACK; BEGIN; LOCK TABLE bars_2026');
    await expect(trial.takesOthers(refused)).resolves.toEqual({ alike: false, any: false });
    await holder.end();
    await test.query('DROP TABLE bars_1962');
  });

  it('is denied while somebody changes series, for which every write waits', async () => {
    const holder = new Client({ connectionString: test.url });
    await holder.connect();
    await holder.query(`BEGIN; DELETE FROM series WHERE symbol = 'NOBODY'`);
    await expect(trial.takesOthers(refused)).rejects.toMatchObject({ code: '55P03' });
    await client.query('ROLLBACK');
    await holder.end();
  });

  it('is told by a bar that nobody has locked, and not waited for when all are', async () => {
    const holder = new Client({ connectionString: test.url });
    await holder.connect();
    await holder.query('BEGIN; SELECT FROM bars ORDER BY ts LIMIT 2 FOR UPDATE');
    await expect(trial.takesOthers(refused)).resolves.toEqual({ alike: true, any: true });
    await holder.query('SELECT FROM bars FOR UPDATE');
    await expect(trial.takesOthers(refused)).resolves.toEqual({ alike: undefined, any: undefined });
    await holder.end();
  });
});

describe('bars that are tried one by one', () => {
  it('are told apart, new ones and corrections, by what is wrong with each; nothing is changed', async () => {
    await store('TRIED', [1, 2, 3, 4, 5]);
    await store('LATER', [1, 2], RECEIVED + 10);
    await test.query('ALTER TABLE bars ADD CONSTRAINT no_devil CHECK (close <> 666)');
    await test.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'no series of this name' USING ERRCODE = '54000'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON series FOR EACH ROW WHEN (NEW.symbol = 'FULL') EXECUTE FUNCTION refuse()`);
    const before = await everything();
    const errors = await trial.tryEach([
      ...singlesOf(batch('TRIED', [7, 666, 9, 666, 5, 666, 8], RECEIVED + 5)),
      ...singlesOf(batch('BRAND-NEW', [1, 666])),
      // A version that was received before the stored one goes into the history, which has no such constraint.
      ...singlesOf(batch('LATER', [666, 2])),
      ...singlesOf(batch('FULL', [1])),
    ]);
    expect(errors.map((error) => (error as { code?: string } | undefined)?.code)).toEqual([
      ...[undefined, '23514', undefined, '23514', undefined, '23514', undefined],
      ...[undefined, '23514'],
      ...[undefined, undefined],
      '54000',
    ]);
    expect(await everything()).toEqual(before);
  });

  it('do not wait for those that somebody has locked', async () => {
    const holder = new Client({ connectionString: test.url });
    await holder.connect();
    await holder.query(
      `BEGIN; SELECT FROM bars JOIN series ON id = series_id WHERE symbol = 'TRIED' ORDER BY ts LIMIT 1 FOR UPDATE OF bars`,
    );
    const errors = await trial.tryEach(singlesOf(batch('TRIED', [7, 8, 9], RECEIVED + 5)));
    await holder.end();
    expect(errors.map((error) => (error as { code?: string } | undefined)?.code)).toEqual([
      '55P03',
      undefined,
      undefined,
    ]);
  });

  it('fail together when the table is missing', async () => {
    const errors = await during(
      'ALTER TABLE bars RENAME TO bars_gone',
      'ALTER TABLE bars_gone RENAME TO bars',
      () => trial.tryEach(singlesOf(batch('TRIED', [7, 8], RECEIVED + 5))),
    );
    expect(errors.map((error) => (error as { code?: string } | undefined)?.code)).toEqual(['42P01', '42P01']);
  });
});
