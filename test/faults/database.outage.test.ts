import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { EmbeddedPostgres } from '../../src/database/embedded/index.js';
import { eventually } from '../support/eventually.js';
import { missingBars, startLoad, type Ack, type Load } from '../support/load.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';
import { startService, type TestService } from '../support/service.js';

let directory: string;
let postgres: EmbeddedPostgres;
let service: TestService;
let url: string;

beforeAll(async () => {
  directory = await makeOpenDirectory();
  postgres = serverOn(0);
  url = await postgres.start();
  service = await startService({
    DATABASE_URL: url,
    MDS_CB_HALF_OPEN_AFTER_SEC: '1',
    MDS_SHUTDOWN_TIMEOUT_SEC: '8',
  });
});

afterAll(async () => {
  await service.stop();
  await postgres.stop();
  await removeDatabase(directory);
});

function serverOn(port: number): EmbeddedPostgres {
  return new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: port });
}

/** Starts the server again where the service looks for it. */
async function startAgain(): Promise<void> {
  postgres = serverOn(Number(new URL(url).port));
  await expect(postgres.start()).resolves.toBe(url);
}

const loads: Load[] = [];

function produce(symbol?: string, ack?: Ack): Load {
  const load = startLoad(service, 4, symbol, ack);
  loads.push(load);
  return load;
}

// A load that a failed test left running would keep Jest from ending.
afterEach(async () => {
  await Promise.all(loads.splice(0).map((load) => load.stop()));
});

const A_BAR =
  '{"provider":"probe","symbol":"A","interval":"1d","ts":1704153600,"open":1,"high":1,"low":1,"close":1,"volume":1}';

/** Only who asks for the commit is refused, and only with the circuit open. */
const refusesWrites = async () => {
  const { status, json } = await service.post(A_BAR);
  return status === 503 && json.code === 'database-unavailable';
};

interface CoordinatorState {
  readonly circuit_state: string;
  readonly rows: { readonly spooled: number; readonly residual: number };
}

const coordinator = async () => (await (await service.fetch('/v1/coordinator')).json()) as CoordinatorState;

/** Not asked by a write: one that comes before it is open is told only after 15 s. */
const circuitOpens = () =>
  eventually('the circuit is open', async () => (await coordinator()).circuit_state !== 'closed');

const readiness = async () => {
  const answer = await service.fetch('/readyz');
  return {
    status: answer.status,
    body: (await answer.json()) as {
      ready: boolean;
      components: { name: string; state: string; details: Record<string, string> }[];
    },
  };
};

describe('while PostgreSQL is stopped and started under load', () => {
  it('no write is wrongly answered, the probes tell, and the service recovers by itself', async () => {
    const load = produce();
    await eventually('bars are stored', () => load.acknowledged.size > 500);

    await postgres.stop();
    await eventually('/readyz says 503', async () => (await readiness()).status === 503);
    const { body } = await readiness();
    expect(body.ready).toBe(false);
    const database = body.components.find(({ name }) => name === 'database');
    expect(database?.state).toBe('unhealthy');
    expect(database?.details['message']).toMatch(/\w/);
    await expect(service.fetch('/livez').then(({ status }) => status)).resolves.toBe(200);
    await expect(service.fetch('/healthz').then(({ status }) => status)).resolves.toBe(200);
    await expect(service.fetch('/v1/bars?symbols=LOAD').then(({ status }) => status)).resolves.toBe(503);
    // Those of the load wait for the database; once the circuit is open new ones are refused at once.
    await circuitOpens();
    await eventually('new writes are refused', refusesWrites);
    const storedBefore = load.acknowledged.size;

    await startAgain();
    await eventually('bars are stored again', () => load.acknowledged.size > storedBefore + 500);
    await eventually('/readyz says 200', async () => (await readiness()).status === 200);
    await load.stop();

    expect(load.wrong).toEqual([]);
    expect([...load.outcomes.keys()].filter((outcome) => !['200', '429', '503'].includes(outcome))).toEqual(
      [],
    );
    await expect(missingBars(service, load.acknowledged)).resolves.toEqual([]);
  });

  it('bars are answered 202 all the while, and stored when it is back', async () => {
    const load = produce('AWAY', 'durable');
    await eventually('bars are taken', () => load.acknowledged.size > 500);

    await postgres.stop();
    await circuitOpens();
    const takenBefore = load.acknowledged.size;
    await eventually('bars are taken on', () => load.acknowledged.size > takenBefore + 500);
    const { circuit_state, rows } = await coordinator();
    expect(circuit_state).not.toBe('closed');
    expect(rows.spooled).toBeGreaterThan(500);
    expect(rows.residual).toBe(0);
    await eventually('who asks for the commit is refused', refusesWrites);
    await load.stop();
    expect([...load.outcomes.keys()]).toEqual(['202']);

    await startAgain();
    await eventually('the spool is written', async () => {
      const now = await coordinator();
      expect(now.rows.residual).toBe(0);
      return now.rows.spooled === 0;
    });
    await expect(missingBars(service, load.acknowledged, 'AWAY')).resolves.toEqual([]);
  });

  it('a service that starts before its database serves its probes, and bars once the database is there', async () => {
    await service.stop();
    await postgres.stop();
    service = await startService({
      DATABASE_URL: url,
      MDS_CB_HALF_OPEN_AFTER_SEC: '1',
      MDS_SHUTDOWN_TIMEOUT_SEC: '8',
    });
    await expect(service.fetch('/livez').then(({ status }) => status)).resolves.toBe(200);
    expect((await readiness()).status).toBe(503);
    await startAgain();
    await eventually('/readyz says 200', async () => (await readiness()).status === 200);
    const load = produce('LATER');
    await eventually('bars are stored', () => load.acknowledged.size > 0);
    await load.stop();
  });

  it('SIGTERM ends it with 0 within its time, also without a database', async () => {
    await postgres.stop();
    const load = produce('STOP');
    await circuitOpens();
    const start = Date.now();
    const exit = service.stop();
    await load.stop();
    await expect(exit).resolves.toBe(0);
    expect(Date.now() - start).toBeLessThan(20_000);
    await startAgain();
    service = await startService({ DATABASE_URL: url });
  });
});

describe('while PostgreSQL hangs', () => {
  it('SIGTERM ends it with 0 within its time, and what was taken is written after the next start', async () => {
    await service.stop();
    const settings = {
      DATABASE_URL: url,
      MDS_DATA_DIR: join(directory, 'service'),
      MDS_SHUTDOWN_TIMEOUT_SEC: '8',
    };
    service = await startService(settings);
    const load = produce('HANG', 'durable');
    await eventually('bars are taken', () => load.acknowledged.size > 500);
    const frozen = await signalAll('SIGSTOP');
    try {
      const takenBefore = load.acknowledged.size;
      await eventually('bars are taken on', () => load.acknowledged.size > takenBefore + 500);
      // A reader waits for the database too.
      const read = service.fetch('/v1/bars?symbols=HANG').catch((error: unknown) => error);
      await expect(service.stop()).resolves.toBe(0);
      await read;
    } finally {
      await load.stop();
      frozen.forEach((pid) => process.kill(pid, 'SIGCONT'));
    }
    expect(service.output()).toMatch(/stopped/);
    service = await startService(settings);
    await eventually('the spool is written', async () => (await coordinator()).rows.spooled === 0);
    await expect(missingBars(service, load.acknowledged, 'HANG')).resolves.toEqual([]);
  });
});

/** Sends a signal to all processes of the server, and tells which: without the others one would go on serving. */
async function signalAll(signal: NodeJS.Signals): Promise<number[]> {
  const { pid } = postgres;
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=']);
  const all = stdout.split('\n').map((line) => line.trim().split(/ +/).map(Number));
  const pids = all.flatMap(([one = 0, parent]) => (one === pid || parent === pid ? [one] : []));
  pids.forEach((one) => process.kill(one, signal));
  return pids;
}
