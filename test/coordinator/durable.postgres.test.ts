import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { BarBatch } from '../../src/bars/bar.batch.js';
import type { TestDatabase } from '../support/database.js';
import { FIRST_DAY, openLane, type PostgresLane } from './postgres.lane.js';

let lane: PostgresLane;
let test: TestDatabase;
let role: string;
let coordinator: PostgresLane['coordinator'];

beforeAll(async () => {
  lane = await openLane();
  ({ test, role, coordinator } = lane);
});
afterAll(() => lane.close());

const batch = (symbol: string, days: number, volume = 5): BarBatch => lane.batch(symbol, days, { volume });
const stored = (symbol: string): Promise<number> => lane.stored(symbol);
const isSettled = () => lane.settled();

describe('a table with one more column than we know', () => {
  it('is written as before: a newer replica may have migrated it', async () => {
    await test.query('ALTER TABLE bars ADD COLUMN note text');
    try {
      await coordinator.accept(batch('WIDER', 100));
      await isSettled();
      expect(await stored('WIDER')).toBe(100);
      expect(coordinator.snapshot()).toMatchObject({ deadLetters: 0, circuitState: 'closed' });
    } finally {
      await test.query('ALTER TABLE bars DROP COLUMN note');
    }
  });
});

describe('versions of one bar that are received at nearly the same time, in small bodies and large', () => {
  it('are all kept, and the one received last is stored', async () => {
    const days = [1, 100, 1, 1, 2, 100, 1, 2];
    const symbols = ['TURNA', 'TURNB', 'TURNC'];
    for (let turn = 0; turn < 5; turn++) {
      const bodies = days.map((count, i) => symbols.map((symbol) => batch(symbol, count, 10 * turn + i)));
      await Promise.all(bodies.flat().map((body) => coordinator.accept(body)));
    }
    await isSettled();
    const versions = await test.query(
      `SELECT symbol, volume, (SELECT count(*)::int FROM bar_revisions AS r WHERE r.series_id = b.series_id AND r.ts = b.ts)
         FROM bars AS b JOIN series ON series.id = series_id WHERE symbol LIKE 'TURN_' AND ts = to_timestamp($1)
        ORDER BY symbol`,
      [FIRST_DAY / 1_000_000],
    );
    const count = 5 * days.length - 1;
    expect(versions).toEqual(symbols.map((symbol) => ({ symbol, volume: 47, count })));
    expect(coordinator.snapshot()).toMatchObject({ deadLetters: 0, rows: { residual: 0 } });
  });

  it('do not win by what was received after them and put together with them', async () => {
    for (let turn = 0; turn < 5; turn++) {
      const bodies = [batch('EARLY', 1, turn + 0.5), batch('EARLY', 100, turn + 1), batch('LATE', 1, turn)];
      await Promise.all(bodies.map((body) => coordinator.accept(body)));
      await isSettled();
      expect(await test.query(`SELECT DISTINCT volume FROM bars_ohlcv WHERE symbol = 'EARLY'`)).toEqual([
        { volume: turn + 1 },
      ]);
    }
  });
});

describe('batches whose memory is used again', () => {
  it('are stored with the values they were accepted with, whatever was tried again meanwhile', async () => {
    await test.query(`
      CREATE FUNCTION fail_at_times() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF random() < 0.3 THEN RAISE EXCEPTION 'try again' USING ERRCODE = 'serialization_failure'; END IF;
        RETURN NULL; END $$;
      CREATE TRIGGER fail_at_times AFTER INSERT ON bars FOR EACH STATEMENT EXECUTE FUNCTION fail_at_times()`);
    const memory = new Set<ArrayBufferLike>();
    try {
      await Promise.all(
        Array.from({ length: 6 }, async (_, client) => {
          for (let turn = 0; turn < 20; turn++) {
            const one = batch(`AGAIN${client}-${turn >> 1}`, 400, 100 * client + turn);
            memory.add(one.tuples.buffer);
            await coordinator.accept(one);
            if (turn % 5 === 4) await isSettled();
          }
        }),
      );
      await isSettled();
    } finally {
      await test.query('DROP FUNCTION fail_at_times CASCADE');
    }
    const bars = await test.query(
      `SELECT symbol, volume, count(*)::int AS days FROM bars_ohlcv WHERE symbol LIKE 'AGAIN%' GROUP BY symbol, volume`,
    );
    const expected = Array.from({ length: 60 }, (_, i) => {
      const [client, pair] = [Math.floor(i / 10), i % 10];
      return { symbol: `AGAIN${client}-${pair}`, volume: 100 * client + 2 * pair + 1, days: 400 };
    });
    expect(memory.size).toBeLessThan(100);
    expect(bars).toHaveLength(60);
    expect(bars).toEqual(expect.arrayContaining(expected));
    expect(coordinator.snapshot()).toMatchObject({ deadLetters: 0, rows: { residual: 0 } });
  });
});

const RAISE = `
  CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'unexpected page' USING ERRCODE = 'index_corrupted'; END $$;
  CREATE TRIGGER raise BEFORE INSERT ON bars FOR EACH ROW EXECUTE FUNCTION raise()`;

describe('a database that lacks what every row needs', () => {
  it.each([
    [
      'the table',
      'ALTER TABLE bars RENAME TO bars_gone',
      'ALTER TABLE bars_gone RENAME TO bars',
      '42P01',
      /"bars" does not exist/,
    ],
    [
      'the permission',
      'REVOKE INSERT ON bars FROM ROLE',
      'GRANT INSERT ON bars TO ROLE',
      '42501',
      /permission denied/,
    ],
    [
      'a column',
      'ALTER TABLE bars RENAME COLUMN volume TO v',
      'ALTER TABLE bars RENAME COLUMN v TO volume',
      '42703',
      /volume/,
    ],
    [
      'the same types',
      `ALTER TABLE bars RENAME TO bars_gone; CREATE TABLE bars (LIKE bars_gone);
       ALTER TABLE bars ALTER volume TYPE real; GRANT ALL ON bars TO ROLE`,
      'DROP TABLE bars; ALTER TABLE bars_gone RENAME TO bars',
      '22P03',
      /incorrect binary data format/,
    ],
    ['a sound index', RAISE, 'DROP FUNCTION raise CASCADE', 'XX002', /unexpected page/],
  ])(
    'by the lack of %s stops the lane and says so; no row is a dead letter, and all are stored when it is mended',
    async (_, breakIt, mendIt, sqlstate, message) => {
      const symbol = `LACK${sqlstate}`;
      await coordinator.accept(batch(symbol, 2));
      await isSettled();
      await test.query(breakIt.replace('ROLE', role));
      // Bars that are new, and some that are stored already: both ways into the table stop.
      await coordinator.accept(batch(symbol, 100));
      await coordinator.accept(batch(`${symbol}B`, 100));
      await lane.stopped();
      const { circuitCause, rows } = coordinator.snapshot();
      expect(circuitCause).toMatchObject({
        code: sqlstate,
        message: expect.stringMatching(message) as unknown,
      });
      expect(rows).toMatchObject({ spooled: 200, deadLettered: 0, residual: 0 });

      await test.query(mendIt.replace('ROLE', role));
      await isSettled();
      expect(await stored(symbol)).toBe(100);
      expect(await stored(`${symbol}B`)).toBe(100);
      expect(coordinator.snapshot()).toMatchObject({ deadLetters: 0, circuitCause: undefined });
    },
  );
});
