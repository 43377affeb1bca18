import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import Fastify, { type FastifyInstance } from 'fastify';
import pg from 'pg';

import { BarExport } from '../../src/bars/read/bar.export.js';
import { BarsStream } from '../../src/bars/read/bars.stream.js';
import { leaseOf } from '../../src/database/read.lease.js';
import { eventually } from '../support/eventually.js';
import { TOKENS } from '../support/service.js';
import { bar, ServedDatabase, write } from './api.samples.js';

/** One export at a time: of six connections four are for writing, and one of the other two for statements. */
const served = new ServedDatabase({ DB_POOL_MAX: '6', MDS_COORDINATOR_WORKERS: '4' });

/** Some 100 MB of text: more than sockets and buffers hold. */
const SERIES = 100;
const BARS_A_SERIES = 6_000;
const MIB = 1024 * 1024;

const open = new Set<IncomingMessage>();

beforeAll(async () => {
  await served.database.query(`
    INSERT INTO series (provider, symbol, interval) SELECT 'flow', 'F' || n, '1m' FROM generate_series(1, ${SERIES}) n`);
  await served.database.query(`
    INSERT INTO bars SELECT id, date_trunc('year', now()) + n * interval '1 minute', n, n + 1, n - 1, n, 1, now()
      FROM series, generate_series(1, ${BARS_A_SERIES}) n`);
  await served.database.query('ANALYZE series, bars');
});

afterEach(() => {
  for (const answer of open) answer.destroy();
  open.clear();
});

/** Asks for an export, reads its first bytes and then no more. */
async function openExport(
  url = served.service.url,
  path = '/v1/bars?format=ndjson',
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  const asked = request(`${url}${path}`, {
    headers: { authorization: `Bearer ${TOKENS.read}`, ...headers },
  });
  asked.on('error', () => undefined);
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  open.add(answer);
  answer.on('error', () => undefined);
  await once(answer, 'readable');
  return answer;
}

/** Lines until the end; the error when the answer breaks off. */
async function readOn(answer: AsyncIterable<unknown>): Promise<number | Error> {
  let lines = 0;
  try {
    for await (const piece of answer) for (const byte of piece as Buffer) if (byte === 10) lines++;
  } catch (error) {
    return error as Error;
  }
  return lines;
}

function residentBytes(pid: number | undefined): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}

/** Backends in a transaction of the service: between two statements of an export it has one too. */
async function exportsInDatabase(): Promise<number[]> {
  const rows = await served.database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL
        AND application_name = 'market-data-store'`,
  );
  return rows.map(({ pid }) => pid);
}

const GZIP = { 'accept-encoding': 'gzip' };

// Elsewhere there is no /proc to read the memory from.
const onLinux = process.platform === 'linux' ? it : it.skip;

describe('an export', () => {
  onLinux('to a slow reader waits for it in constant memory, and is complete', async () => {
    const before = residentBytes(served.service.process.pid);
    const answer = await openExport();
    let most = 0;
    for (let look = 0; look < 20; look++) {
      await sleep(100);
      most = Math.max(most, residentBytes(served.service.process.pid));
    }
    expect((await exportsInDatabase()).length).toBe(1);
    expect(most - before).toBeLessThan(64 * MIB);
    expect(await readOn(answer)).toBe(SERIES * BARS_A_SERIES);
  });

  onLinux('compressed waits for a slow reader in constant memory too, and is complete', async () => {
    const before = residentBytes(served.service.process.pid);
    const answer = await openExport(undefined, undefined, GZIP);
    expect(answer.headers['content-encoding']).toBe('gzip');
    let most = 0;
    for (let look = 0; look < 20; look++) {
      await sleep(100);
      most = Math.max(most, residentBytes(served.service.process.pid));
    }
    expect((await exportsInDatabase()).length).toBe(1);
    expect(most - before).toBeLessThan(64 * MIB);
    expect(await readOn(answer.pipe(createGunzip()))).toBe(SERIES * BARS_A_SERIES);
  });

  it('is of one moment: what is written meanwhile is not in it', async () => {
    const answer = await openExport();
    const late = Array.from({ length: SERIES }, (_, at) =>
      bar({ provider: 'flow', symbol: `F${at + 1}`, interval: '1m', ts: '2020-01-01T00:00:00Z' }),
    );
    expect((await served.service.post(write(late, 'csv'), 'text/csv')).json).toMatchObject({
      inserted: SERIES,
    });
    expect(await readOn(answer)).toBe(SERIES * BARS_A_SERIES);
    await served.database.query("DELETE FROM bars WHERE ts < '2021-01-01'");
  });

  it.each([{}, GZIP])(
    'that loses its database breaks off instead of looking complete, asked with %j',
    async (headers) => {
      const answer = await openExport(undefined, undefined, headers);
      const [pid] = await exportsInDatabase();
      expect(pid).toBeDefined();
      await served.database.query('SELECT pg_terminate_backend($1)', [pid]);
      expect(await readOn(answer)).toMatchObject({ code: 'ECONNRESET' });
      expect((await served.service.fetch('/v1/bars?limit=1')).status).toBe(200);
    },
  );

  it.each([{}, GZIP])(
    'whose reader hangs up frees its connection at once, asked with %j',
    async (headers) => {
      const answer = await openExport(undefined, undefined, headers);
      expect(await exportsInDatabase()).toHaveLength(1);
      answer.destroy();
      await eventually('no export in the database', async () => (await exportsInDatabase()).length === 0);
      expect(await readOn(await openExport())).toBe(SERIES * BARS_A_SERIES);
    },
  );

  it('that nobody reads leaves connections to writers and to other readers; another export is sent away', async () => {
    await openExport();
    const [second, page, stored] = await Promise.all([
      served.service.fetch('/v1/bars?format=csv'),
      served.service.fetch('/v1/bars?limit=1'),
      served.service.post(write([bar()], 'csv'), 'text/csv'),
    ]);
    expect(page.status).toBe(200);
    expect(stored.status).toBe(200);
    expect(second.status).toBe(503);
    expect(second.headers.get('retry-after')).toBe('5');
    expect(await second.json()).toMatchObject({ code: 'too-many-readers' });
  });
});

describe('an export of which nothing moves', () => {
  let pool: pg.Pool;
  let server: FastifyInstance;
  let stalls = 0;

  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: served.database.url });
    const database = {
      lease: async (signal: AbortSignal) => leaseOf(await pool.connect(), signal, () => undefined),
    };
    const stream = new BarsStream(new BarExport(database), {
      stallLimitMs: 500,
      onStalled: () => (stalls += 1),
    });
    server = Fastify();
    server.get('/', async (incoming, reply) => {
      await stream.send({ sort: 'asc' }, 'csv', incoming, reply);
      return reply;
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
  });
  afterAll(async () => {
    await server.close();
    await pool.end();
  });

  it('is cut, and its connection ended', async () => {
    const { port } = server.server.address() as { port: number };
    const answer = await openExport(`http://127.0.0.1:${port}`, '/');
    await eventually('the export is cut', () => stalls === 1);
    await eventually('its connection is ended', () => pool.totalCount === 0);
    expect(await readOn(answer)).toMatchObject({ code: 'ECONNRESET' });
  });
});
