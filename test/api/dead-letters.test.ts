import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import { barBatchCodec } from '../../src/bars/bar.batch.codec.js';
import { DeadLetterQueue } from '../../src/coordinator/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startService, TOKENS, type TestService } from '../support/service.js';

const ROWS = 10_000;
const FIRST_TS = Date.UTC(2026, 0, 1) / 1000;

interface Page {
  readonly records: { readonly id: string; readonly sqlstate: string; readonly rows: number }[];
  readonly next_page_token: string | null;
}

let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  database = await createDatabase();
  service = await startService({ DATABASE_URL: database.url });
});
afterAll(async () => {
  await service.stop();
  await database.drop();
});

/** Bars of one symbol; a close of 666 is what only the database refuses. */
function bars(symbol: string, closes: readonly number[]): string {
  return closes
    .map((close, index) => {
      const ts = FIRST_TS + index * 60;
      const bar = {
        provider: 'p',
        symbol,
        interval: '1m',
        ts,
        open: 0,
        high: 1_000_000,
        low: 0,
        close,
        volume: 1,
      };
      return JSON.stringify(bar);
    })
    .join('\n');
}

async function call(
  method: string,
  path: string,
  token = TOKENS.admin,
): Promise<{ status: number; json: unknown }> {
  const answer = await service.fetch(path, { method, headers: { authorization: `Bearer ${token}` } });
  const text = await answer.text();
  return { status: answer.status, json: text === '' ? undefined : JSON.parse(text) };
}

const page = async (query = '') => (await call('GET', `/v1/dlq${query}`)).json as Page;
const isSettled = () =>
  eventually('the spool is empty', async () => {
    const { json } = await call('GET', '/v1/coordinator');
    const { rows } = json as { rows: { spooled: number; residual: number } };
    expect(rows.residual).toBe(0);
    return rows.spooled === 0;
  });
const stored = async (symbol: string) =>
  Number(
    (
      await database.query<{ n: string }>('SELECT count(*) AS n FROM bars_ohlcv WHERE symbol = $1', [symbol])
    )[0]?.n,
  );

describe('bars that only the database refuses', () => {
  beforeAll(async () => {
    await database.query('ALTER TABLE bars ADD CONSTRAINT not_the_devil CHECK (close <> 666)');
  });

  it('cost one dead letter each; the others are stored, and a replay after mending stores them too', async () => {
    const closes = Array.from({ length: ROWS }, (_, index) => (index === 4_321 ? 666 : 1_000 + index));
    const answer = await service.post(bars('POISON', closes), undefined, '?ack=durable');
    expect([answer.status, answer.json['accepted']]).toEqual([202, ROWS]);
    await isSettled();
    expect(await stored('POISON')).toBe(ROWS - 1);

    const { records } = await page();
    expect(records).toEqual([
      expect.objectContaining({ rows: 1, reason: 'sqlstate_23514', sqlstate: '23514' }) as unknown,
    ]);
    const id = records[0]?.id ?? '';
    const one = await call('GET', `/v1/dlq/${id}`);
    expect(one).toMatchObject({
      status: 200,
      json: { id, content: [{ symbol: 'POISON', close: 666, ts: '2026-01-04T00:01:00Z' }] },
    });
    expect(JSON.stringify(one.json)).not.toContain('INSERT');

    await database.query('ALTER TABLE bars DROP CONSTRAINT not_the_devil');
    expect(await call('POST', `/v1/dlq/${id}/replay`)).toEqual({ status: 202, json: { replayed: 1 } });
    await isSettled();
    expect(await stored('POISON')).toBe(ROWS);
    expect((await page()).records).toEqual([]);
  });

  it('are listed by pages, replayed together, and deleted', async () => {
    await database.query('ALTER TABLE bars ADD CONSTRAINT not_the_devil CHECK (close <> 666) NOT VALID');
    const answer = await service.post(bars('MANY', [666, 1, 666, 2, 666]));
    expect([answer.status, answer.json.code]).toEqual([500, 'write-refused']);
    const first = await page('?limit=2');
    expect(first.records).toHaveLength(2);
    const second = await page(`?limit=2&page_token=${first.next_page_token}`);
    expect([second.records.length, second.next_page_token]).toEqual([1, null]);

    const gone = `/v1/dlq/${first.records[0]?.id}`;
    expect((await call('DELETE', gone)).status).toBe(204);
    for (const [method, path] of [
      ['DELETE', gone],
      ['GET', gone],
      ['POST', `${gone}/replay`],
    ] as const) {
      expect(await call(method, path)).toMatchObject({ status: 404, json: { code: 'unknown-record' } });
    }
    await database.query('ALTER TABLE bars DROP CONSTRAINT not_the_devil');
    expect(await call('POST', '/v1/dlq/replay')).toEqual({ status: 202, json: { replayed: 2 } });
    await isSettled();
    expect(await stored('MANY')).toBe(4);
    expect((await page()).records).toEqual([]);
  });

  it('are for the administrator only', async () => {
    for (const token of [TOKENS.read, TOKENS.ingest]) {
      for (const [method, path] of [
        ['GET', '/v1/dlq'],
        ['GET', '/v1/dlq/1-1-0'],
        ['POST', '/v1/dlq/replay'],
        ['POST', '/v1/dlq/1-1-0/replay'],
        ['DELETE', '/v1/dlq/1-1-0'],
      ] as const) {
        expect((await call(method, path, token)).status).toBe(403);
      }
    }
  });
});

describe('a record that cannot be understood', () => {
  it('is answered as damaged, and the others are replayed', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mds-dlq-'));
    const why = { reason: 'r', sqlstate: undefined, detail: '', refusedAt: 1 };
    const queue = await DeadLetterQueue.open({ directory: join(directory, 'dlq') });
    const builder = new BarBatchBuilder();
    builder.add('p', 'BEHIND', '1m', FIRST_TS * 1e6, 1, 1, 1, 1, 1);
    const batch = Object.assign(builder.finish(), { receivedAt: 2 });
    await queue.add({ ...why, id: '1-1-0', rows: 3, time: 1, payload: [Buffer.from('?')] });
    // As many bytes as a batch of one row: what it holds is not what was accepted.
    await queue.add({ ...why, id: '1-2-0', rows: 2, time: 1, payload: barBatchCodec.encode(batch) });
    await queue.add({ ...why, id: '2-1-0', rows: 1, time: 2, payload: barBatchCodec.encode(batch) });
    await service.stop();
    service = await startService({ DATABASE_URL: database.url, MDS_DATA_DIR: directory });

    expect(await call('POST', '/v1/dlq/replay')).toEqual({ status: 202, json: { replayed: 1 } });
    await isSettled();
    expect(await stored('BEHIND')).toBe(1);
    for (const id of ['1-1-0', '1-2-0']) {
      const answer = await call('POST', `/v1/dlq/${id}/replay`);
      expect(answer).toMatchObject({ status: 410, json: { code: 'damaged-record' } });
    }
    // They are kept for people, until somebody gives them up.
    expect((await page()).records.map(({ id }) => id)).toEqual(['1-1-0', '1-2-0']);
    expect((await call('DELETE', '/v1/dlq/1-1-0')).status).toBe(204);
    await service.stop();
    await rm(directory, { recursive: true });
  });
});
