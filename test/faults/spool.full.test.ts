import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { post, RawClient } from '../support/raw.client.js';
import { startService, TOKENS, type TestService } from '../support/service.js';

const ROWS = 2_000;
/** A body without bars that takes much room. */
const BLANKS = ' '.repeat(500_000);
const FIRST_TS = Date.UTC(2026, 0, 1) / 1000;
/** Nobody listens there. */
const NO_DATABASE = 'postgres://nobody@127.0.0.1:9/none';
const HEADERS = { authorization: `Bearer ${TOKENS.ingest}`, 'content-type': 'application/x-ndjson' };

let database: TestDatabase;
let directory: string;
let service: TestService;
let accepted = 0;

const start = (url: string) =>
  startService({
    DATABASE_URL: url,
    MDS_DATA_DIR: directory,
    MDS_SPOOL_MAX_BYTES: '1048576',
    MDS_READY_WITHOUT_DATABASE: 'true',
    MDS_COORDINATOR_CAPACITY: '1000000',
    MDS_CB_HALF_OPEN_AFTER_SEC: '0.5',
  });

beforeAll(async () => {
  database = await createDatabase();
  directory = await mkdtemp(join(tmpdir(), 'mds-full-'));
  service = await start(NO_DATABASE);
});
afterAll(async () => {
  await service.stop();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

/** Bars that were never sent before. */
function batch(): string {
  return Array.from({ length: ROWS }, (_, row) => {
    const ts = FIRST_TS + (accepted + row) * 60;
    const prices = { open: 1, high: 1, low: 1, close: 1, volume: 1 };
    return JSON.stringify({ provider: 'p', symbol: 'FULL', interval: '1m', ts, ...prices });
  }).join('\n');
}

const readiness = async (): Promise<Record<string, unknown>> => {
  const answer = await service.fetch('/readyz');
  const { components } = (await answer.json()) as { components: { name: string; state: string }[] };
  return { status: answer.status, ...Object.fromEntries(components.map(({ name, state }) => [name, state])) };
};

/** Bodies so far. */
const refusedUnread = async () => {
  const metrics = await (await service.fetch('/metrics')).text();
  return Number(/^mds_coord_bodies_refused_total\{.*\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
};

describe('a service without a database and with a small spool', () => {
  /** Sends most of a large body, and waits until one beside it finds no room. */
  const underWay = async (body: string) => {
    const sender = await RawClient.to(service.url);
    const request = post('/v1/bars', HEADERS, body);
    await sender.send(request.subarray(0, -10_000));
    const before = await refusedUnread();
    await eventually('the room is kept', async () => {
      const { status, json } = await service.post(BLANKS);
      if (status === 422) return false;
      expect([status, json.code]).toEqual([503, 'spool-full']);
      return true;
    });
    expect(await refusedUnread()).toBe(before + 1);
    return { sender, rest: request.subarray(-10_000) };
  };

  it('keeps room for a body that is under way, and refuses unread what would not fit beside it', async () => {
    // Blanks are no bars, but a body that was not read may have any.
    const large = batch();
    accepted += ROWS;
    const { sender, rest } = await underWay(`${large}\n${BLANKS}`);
    // Whatever fits is taken, and nothing counts as full.
    expect((await service.post(batch(), undefined, '?ack=durable')).status).toBe(202);
    accepted += ROWS;
    expect(await readiness()).toMatchObject({ spool: 'healthy' });
    await sender.send(rest);
    const [answer] = await sender.answers();
    expect(answer).toMatch(/^HTTP\/1.1 202 /);
    sender.socket.destroy();
  });

  it('gives the room back when the sender of a body goes', async () => {
    const { sender } = await underWay(' '.repeat(700_000));
    sender.socket.destroy();
    await eventually('there is room again', async () => {
      const { status, json } = await service.post(BLANKS);
      return status === 422 && json.code === 'no-bars';
    });
  });

  it('is ready when told to be, and takes bars until the spool is full', async () => {
    expect(await readiness()).toMatchObject({ status: 200, database: 'unhealthy', spool: 'healthy' });
    for (;;) {
      const answer = await service.post(batch(), undefined, '?ack=durable');
      if (answer.status !== 202) {
        expect([answer.status, answer.json.code]).toEqual([503, 'spool-full']);
        expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
        expect(answer.headers.get('x-backpressure')).toBe('hard');
        break;
      }
      accepted += ROWS;
    }
    expect(accepted).toBeGreaterThanOrEqual(4 * ROWS);
    // From now on nobody looks at what is in a body.
    const before = await refusedUnread();
    for (const body of ['{', batch().repeat(20)]) {
      const answer = await service.post(body);
      expect([answer.status, answer.json.code]).toEqual([503, 'spool-full']);
    }
    expect(await refusedUnread()).toBe(before + 2);
    // Overload is no reason to take it out of service.
    expect(await readiness()).toMatchObject({ status: 200, spool: 'degraded' });
    const state = (await (await service.fetch('/v1/coordinator')).json()) as Record<string, unknown>;
    expect(state).toMatchObject({
      level: 'hard',
      rows: { accepted, committed: 0, spooled: accepted, residual: 0 },
    });
  });

  it('refuses no more than a hundred bodies a second at once, and tells each when to come back', async () => {
    const begun = performance.now();
    const answers = await Promise.all(Array.from({ length: 60 }, () => service.post('{')));
    expect(performance.now() - begun).toBeGreaterThan(500);
    for (const { status, json, headers } of answers)
      expect([status, json.code, Number(headers.get('retry-after')) >= 1]).toEqual([503, 'spool-full', true]);
  });

  it('keeps no room for bodies whose refusals wait', async () => {
    const body = Buffer.alloc(700_000);
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => service.post(body, undefined, '', { 'content-encoding': 'gzip' })),
    );
    expect(new Set(answers.map(({ json }) => json.code))).toEqual(new Set(['spool-full']));
  });

  it('ends in good time with bars in its spool, and stores them when there is a database', async () => {
    const begun = performance.now();
    await expect(service.stop()).resolves.toBe(0);
    expect(performance.now() - begun).toBeLessThan(10_000);
    service = await start(database.url);
    await eventually('the spool is written', async () => {
      const { rows } = (await (await service.fetch('/v1/coordinator')).json()) as {
        rows: { spooled: number; residual: number };
      };
      expect(rows.residual).toBe(0);
      return rows.spooled === 0;
    });
    const [count] = await database.query<{ n: string }>('SELECT count(*) AS n FROM bars');
    expect(Number(count?.n)).toBe(accepted);
    expect((await service.post(batch(), undefined, '?ack=durable')).status).toBe(202);
  });
});
