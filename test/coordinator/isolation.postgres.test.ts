import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { eventually } from '../support/eventually.js';
import { openLane, type PostgresLane } from './postgres.lane.js';

const MINUTE_US = 60_000_000;
const YEAR_2027 = Date.UTC(2027, 0, 5) * 1000;

let lane: PostgresLane;

const isolation = () => lane.coordinator.snapshot().isolation;
const deadLettered = () => lane.coordinator.snapshot().rows.deadLettered;

/** Waits until as many rows wait though the store takes others, and no other is isolated. */
async function stuck(rows: number): Promise<void> {
  await eventually(`${rows} rows wait`, () => {
    const now = isolation();
    return now.waitingRows === rows && now.rows === rows;
  });
}

/** A trigger that raises an error with this code before each row is inserted, or updated, for which a condition holds. */
async function raise(code: string, when: string, message = 'refused by a trigger'): Promise<void> {
  await lane.test.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION '${message}' USING ERRCODE = '${code}'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON bars FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION refuse()`);
}
// Locked first: dropping it could meet a write in a deadlock.
const stopRaising = () => lane.test.query('LOCK TABLE bars; DROP FUNCTION refuse CASCADE');

/** New settings of the role count from the next connection on. */
async function setOnRole(setting: string): Promise<void> {
  await lane.test.query(`ALTER ROLE ${lane.role} SET ${setting}`);
  await lane.test.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${lane.role}'`,
  );
}

describe('a store that refuses whatever comes', () => {
  beforeAll(async () => {
    lane = await openLane();
    await lane.coordinator.accept(lane.batch('SEED', 50));
    await lane.settled();
  });
  afterAll(() => lane.close());

  it.each([
    ['as transaction ids run out', '54000', 'true'],
    ['by a trigger of its own', 'P0001', 'true'],
    ['by a check that no bar passes', '23514', undefined],
  ])(
    '%s makes no dead letter: the circuit opens and says why, and all are stored when it takes them again',
    async (_, code, when) => {
      const symbol = `ALL${code}`;
      const [breakIt, mendIt] = when
        ? [() => raise(code, when), stopRaising]
        : [
            () => lane.test.query('ALTER TABLE bars ADD CONSTRAINT none CHECK (volume < 0) NOT VALID'),
            () => lane.test.query('ALTER TABLE bars DROP CONSTRAINT none'),
          ];
      await breakIt();
      try {
        for (let i = 0; i < 10; i++) await lane.coordinator.accept(lane.batch(`${symbol}${i}`, 100));
        await lane.stopped();
        expect(lane.coordinator.snapshot().circuitCause).toMatchObject({ code });
      } finally {
        await mendIt();
      }
      await lane.settled();
      for (let i = 0; i < 10; i++) expect(await lane.stored(`${symbol}${i}`)).toBe(100);
      expect(deadLettered()).toBe(0);
    },
  );

  it('as the table is locked and lock_timeout is set makes no dead letter', async () => {
    await setOnRole(`lock_timeout = '50ms'`);
    const holder = new Client({ connectionString: lane.test.url });
    await holder.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE bars IN ACCESS EXCLUSIVE MODE');
      for (let i = 0; i < 10; i++) await lane.coordinator.accept(lane.batch(`LOCKED${i}`, 100));
      await lane.stopped();
      expect(lane.coordinator.snapshot().circuitCause).toMatchObject({ code: '55P03' });
      await holder.query('COMMIT');
      await lane.settled();
    } finally {
      await holder.end();
      await setOnRole('lock_timeout = 0');
    }
    for (let i = 0; i < 10; i++) expect(await lane.stored(`LOCKED${i}`)).toBe(100);
    expect(deadLettered()).toBe(0);
  });
});

describe('an empty store that refuses whatever comes', () => {
  it('proves nothing: all rows wait, and are stored when it takes them', async () => {
    lane = await openLane();
    try {
      await lane.test.query('ALTER TABLE bars ADD COLUMN must_be_there int NOT NULL');
      for (let i = 0; i < 5; i++) await lane.coordinator.accept(lane.batch(`EMPTY${i}`, 300));
      await lane.stopped();
      expect(lane.coordinator.snapshot().circuitCause).toMatchObject({ code: '23502' });
      expect(deadLettered()).toBe(0);
      await lane.test.query('ALTER TABLE bars DROP COLUMN must_be_there');
      await lane.settled();
      for (let i = 0; i < 5; i++) expect(await lane.stored(`EMPTY${i}`)).toBe(300);
      expect(lane.coordinator.snapshot()).toMatchObject({ deadLetters: 0, isolation: { rows: 0 } });
    } finally {
      await lane.close();
    }
  });
});

describe('rows that wait while others are stored', () => {
  beforeEach(async () => {
    lane = await openLane();
    await lane.coordinator.accept(lane.batch('SEED', 50));
    await lane.coordinator.accept(lane.batch('SEED', 50, { from: YEAR_2027 }));
    await lane.settled();
  });
  afterEach(() => lane.close());

  it('are those of a partition that was detached', async () => {
    await lane.test.query('ALTER TABLE bars DETACH PARTITION bars_2026');
    await lane.coordinator.accept(lane.batch('DETACHED', 100));
    await stuck(100);
    expect(isolation().cause).toMatchObject({ code: expect.stringMatching(/23514|42P07/) as unknown });
    await lane.coordinator.accept(lane.batch('OTHER', 100, { from: YEAR_2027 }));
    await eventually('others are stored', async () => (await lane.stored('OTHER')) === 100);
    expect(deadLettered()).toBe(0);
    await lane.test.query(
      `ALTER TABLE bars ATTACH PARTITION bars_2026 FOR VALUES FROM ('2026-01-01T00:00:00Z') TO ('2027-01-01T00:00:00Z')`,
    );
    await lane.settled();
    expect(await lane.stored('DETACHED')).toBe(100);
    expect(deadLettered()).toBe(0);
  });

  it('are those that somebody has locked, when statement_timeout is set', async () => {
    await setOnRole(`statement_timeout = '300ms'`);
    const holder = new Client({ connectionString: lane.test.url });
    await holder.connect();
    holder.on('error', () => undefined);
    await holder.query(
      `BEGIN; SELECT FROM bars JOIN series ON id = series_id WHERE symbol = 'SEED' ORDER BY ts LIMIT 3 FOR UPDATE OF bars`,
    );
    await lane.coordinator.accept(lane.batch('SEED', 40, { volume: 6 }));
    await lane.coordinator.accept(lane.batch('FREE', 900));
    await stuck(3);
    expect(isolation().cause).toMatchObject({ code: '55P03' });
    expect(await lane.stored('FREE')).toBe(900);
    const corrected = await lane.test.query(`SELECT FROM bars_ohlcv WHERE symbol = 'SEED' AND volume = 6`);
    expect(corrected).toHaveLength(37);
    expect(lane.coordinator.snapshot()).toMatchObject({ circuitState: 'closed', deadLetters: 0 });
    await holder.query('COMMIT');
    await holder.end();
    await lane.settled();
    const all = await lane.test.query(`SELECT FROM bars_ohlcv WHERE symbol = 'SEED' AND volume = 6`);
    expect(all).toHaveLength(40);
    expect(deadLettered()).toBe(0);
  });

  it('are those that meet a limit of the server, which is not their fault', async () => {
    await raise('54000', 'NEW.close = 666', 'out of something');
    await lane.coordinator.accept(
      lane.batch('LIMIT', 2_000, { close: (bar) => (bar % 400 === 7 ? 666 : 1) }),
    );
    await stuck(5);
    expect(await lane.stored('LIMIT')).toBe(1_995);
    expect(isolation().cause).toMatchObject({ code: '54000' });
    await stopRaising();
    await lane.settled();
    expect(await lane.stored('LIMIT')).toBe(2_000);
    expect(deadLettered()).toBe(0);
  });
});

describe('rows at fault', () => {
  beforeAll(async () => {
    lane = await openLane();
    await lane.coordinator.accept(lane.batch('SEED', 50));
    await lane.settled();
  });
  afterAll(() => lane.close());

  it('are a dead letter though nothing else flows: a stored bar proves that others are taken', async () => {
    await lane.test.query('ALTER TABLE bars ADD CONSTRAINT one CHECK (close <> 666)');
    const { outcome } = await lane.coordinator.acceptAwaited(lane.batch('ALONE', 1, { close: () => 666 }));
    await expect(outcome).rejects.toMatchObject({ name: 'WriteRefusedError', reason: 'sqlstate_23514' });
    expect([deadLettered(), lane.coordinator.snapshot().circuitState]).toEqual([1, 'closed']);
    await lane.test.query('ALTER TABLE bars DROP CONSTRAINT one');
  });

  it('are told apart in a year that has no partition yet, though the table has a check of its own', async () => {
    const before = deadLettered();
    await lane.test.query('ALTER TABLE bars ADD CONSTRAINT early CHECK (close <> 666)');
    const from = Date.UTC(1999, 0, 5) * 1000;
    await lane.coordinator.accept(lane.batch('EARLY', 50, { from, close: (bar) => (bar === 7 ? 666 : 1) }));
    await lane.settled();
    await lane.test.query('ALTER TABLE bars DROP CONSTRAINT early');
    expect([await lane.stored('EARLY'), deadLettered() - before]).toEqual([49, 1]);
  });

  it('are those that a trigger refuses with a code of its own', async () => {
    const before = deadLettered();
    await raise('MDS01', 'NEW.close = 666');
    await lane.coordinator.accept(lane.batch('RAISED', 100, { close: (bar) => (bar === 50 ? 666 : 1) }));
    await lane.settled();
    await stopRaising();
    expect([await lane.stored('RAISED'), deadLettered() - before]).toEqual([99, 1]);
  });

  it('in three bodies of thousands do not hold up good ones, and are few letters', async () => {
    const [rows, lettersBefore, deadBefore] = [2_000, lane.deadLetters.letters, deadLettered()];
    await lane.test.query('ALTER TABLE bars ADD CONSTRAINT thousands CHECK (close <> 666)');
    for (let i = 0; i < 3; i++)
      await lane.coordinator.accept(lane.batch(`BODY${i}`, rows, { close: () => 666 }));
    await eventually('they are tried apart', () => isolation().rows > 0);
    let goodMeanwhile = 0;
    for (let i = 0; isolation().rows > 0; i++) {
      const from = Date.UTC(2026, 0, 5) * 1000 + i * MINUTE_US;
      const { outcome } = await lane.coordinator.acceptAwaited(lane.batch('GOOD', 1, { from }));
      await expect(outcome).resolves.toMatchObject({ inserted: 1 });
      if (isolation().rows > 0) goodMeanwhile++;
    }
    await lane.settled();
    expect(goodMeanwhile).toBeGreaterThan(10);
    expect(deadLettered() - deadBefore).toBe(3 * rows);
    expect(lane.deadLetters.letters - lettersBefore).toBeLessThanOrEqual(3 * 8);
    expect(lane.coordinator.snapshot()).toMatchObject({ circuitState: 'closed', rows: { residual: 0 } });

    await lane.test.query('ALTER TABLE bars DROP CONSTRAINT thousands');
    for (const id of lane.deadLetters.ids({ limit: 1_000 })) await lane.coordinator.replayDeadLetter(id);
    await lane.settled();
    for (let i = 0; i < 3; i++) expect(await lane.stored(`BODY${i}`)).toBe(rows);
    expect(deadLettered()).toBe(0);
  });
});
