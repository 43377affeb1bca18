import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { ClockSync } from '../../src/bars/clock.sync.js';
import { ReceiptClock } from '../../src/bars/receipt.clock.js';
import { DatabaseClock, monotonicMicros, type ServerTime } from '../../src/database/database.clock.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

const SECOND = 1e6;

/** What the machine's clock is ahead of the database's, microseconds. */
let machineAhead: number;
let serverAhead: number;
let readings: number;
let failure: Error | undefined;
let lines: string[];
let clock: ReceiptClock;
const syncs: ClockSync[] = [];

const server = {
  read: (): Promise<ServerTime> => {
    readings++;
    if (failure) return Promise.reject(failure);
    const at = monotonicMicros();
    return Promise.resolve({ time: at + serverAhead, at });
  },
};

beforeEach(() => {
  machineAhead = 0;
  serverAhead = 0;
  readings = 0;
  failure = undefined;
  lines = [];
  clock = new ReceiptClock({ machine: () => monotonicMicros() + machineAhead });
});
afterEach(() => syncs.splice(0).forEach((sync) => sync.stop()));

function startSync(readEveryMs?: number): Promise<void> {
  const note = (line: string): void => void lines.push(line);
  const sync = new ClockSync({
    ...{ clock, server, log: { log: note, warn: note }, lookEveryMs: 5 },
    ...(readEveryMs !== undefined && { readEveryMs }),
  });
  syncs.push(sync);
  return sync.start();
}

describe('the sync of the clock of receipt', () => {
  it("The sync has read PostgreSQL's clock when it has started, once", async () => {
    machineAhead = 30 * SECOND;
    await startSync();
    expect(clock.compare()?.machineAheadSeconds).toBeCloseTo(30, 3);
    expect({ readings, lines }).toEqual({ readings: 1, lines: [] });
  });

  it('The sync reads it again after each period', async () => {
    await startSync(10);
    await eventually('it was read again and again', () => readings > 3);
  });

  it("The sync reads it again as soon as the machine's clock was stepped, as it is after a sleep", async () => {
    await startSync();
    serverAhead = 600 * SECOND;
    machineAhead = 600 * SECOND;
    await eventually('it was read', () => readings > 1);
    expect(clock.compare()?.machineAheadSeconds).toBeCloseTo(0, 3);
    expect(lines).toEqual([
      expect.stringMatching(/^the clock of receipt was 600\.000 s behind PostgreSQL's/),
    ]);
  });

  it('The sync starts without the database, says so once, and reads its clock when it is there', async () => {
    failure = new Error('connect ECONNREFUSED');
    await startSync();
    clock.next();
    serverAhead = -30 * SECOND;
    await eventually('it was tried again', () => readings > 1);
    expect(clock.compare()).toBeUndefined();
    failure = undefined;
    await eventually('it was read', () => clock.compare() !== undefined);
    expect(lines).toEqual([
      "PostgreSQL's clock cannot be read, times of receipt go on without it: connect ECONNREFUSED",
      expect.stringMatching(
        /^times of receipt are \d+\.\d{3} s ahead of PostgreSQL's clock and ascend slowly/,
      ),
    ]);
  });
});

describe("PostgreSQL's clock", () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createDatabase();
  });
  afterEach(() => database.drop());

  it("PostgreSQL's clock is read between question and answer", async () => {
    const asked = monotonicMicros();
    // On this machine it is the same clock.
    const before = Date.now() * 1_000;
    const { time, at } = await new DatabaseClock(database.url).read();
    const after = (Date.now() + 1) * 1_000;
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(after);
    expect(at).toBeGreaterThan(asked);
    expect(at).toBeLessThan(monotonicMicros());
    await eventually('the connection has ended', async () => {
      const [row] = await database.query<{ open: number }>(
        "SELECT count(*)::int AS open FROM pg_stat_activity WHERE application_name = 'market-data-store clock'",
      );
      return row?.open === 0;
    });
  });

  it("PostgreSQL's clock cannot be read where nobody listens", async () => {
    await expect(new DatabaseClock('postgres://nobody@127.0.0.1:9/none').read()).rejects.toThrow(
      /ECONNREFUSED/,
    );
  });
});
