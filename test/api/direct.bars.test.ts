import { once } from 'node:events';

import { describe, expect, it } from '@jest/globals';

import { jsonRow } from '../bars/decode.samples.js';
import { eventually } from '../support/eventually.js';
import { post, RawClient } from '../support/raw.client.js';
import { startService, TOKENS } from '../support/service.js';
import { ServedDatabase } from './api.samples.js';

const served = new ServedDatabase({ MDP_RATE_PROVIDERS: 'slow:1:1', MDS_COORDINATOR_CAPACITY: '100' });

const USUAL = { authorization: `Bearer ${TOKENS.ingest}`, 'content-type': 'application/x-ndjson' };
/** It makes a head unusual, so that the request takes the way through Node's server. */
const BY_THE_ROUTE = { 'x-note': 'é' };

/** What is told in the answer to a request, but for what differs from one to the next. */
async function told(headers: Record<string, string>, body: string): Promise<unknown> {
  const client = await RawClient.to(served.service.url);
  await client.send(post('/v1/bars', headers, body));
  const [text = ''] = await client.answers();
  client.socket.destroy();
  const [head = '', json = ''] = text.split('\r\n\r\n');
  const fields = head.replace(/(date|content-length|retry-after): .*/gi, '$1');
  const document = JSON.parse(json) as Record<string, unknown>;
  expect(Object.keys(document)).toContain(document['code'] === undefined ? 'batch_id' : 'request_id');
  return { fields: fields.split('\r\n').sort(), ...document, batch_id: '', queue: '' };
}

describe('a small body on a connection of its own', () => {
  const bad = `${jsonRow()}\n${jsonRow({ close: '"x"' })}`;
  it.each<[string, number, Record<string, string>, string]>([
    ['is taken', 202, USUAL, jsonRow()],
    ['is taken from an admin', 202, { ...USUAL, authorization: `bearer ${TOKENS.admin}` }, jsonRow()],
    ['is refused without a token', 401, { 'content-type': 'text/csv' }, jsonRow()],
    ['is refused with an unknown one', 401, { ...USUAL, authorization: 'Bearer x' }, jsonRow()],
    [
      'is refused with one that may only read',
      403,
      { ...USUAL, authorization: `Bearer ${TOKENS.read}` },
      jsonRow(),
    ],
    ['is refused when it is no bars', 422, USUAL, 'no bars'],
    ['is refused when it is empty', 422, USUAL, ''],
    ['is refused with a bad bar, whose text is told', 422, USUAL, bad.replace('SPY', 'SPÝ')],
    [
      'is refused in another charset',
      415,
      { ...USUAL, 'content-type': 'text/csv; charset=latin1' },
      jsonRow(),
    ],
    ['is refused without a type', 415, { authorization: USUAL.authorization }, jsonRow()],
    ['is refused with an unknown type', 415, { ...USUAL, 'content-type': 'text/html' }, jsonRow()],
    ['is refused with an unknown type and nothing in it', 415, { ...USUAL, 'content-type': 'a/b' }, ''],
    ['is refused with neither type nor bars', 422, { authorization: USUAL.authorization }, ''],
    ['is refused when it cannot be read', 400, { ...USUAL, 'content-type': 'application/json' }, '{'],
  ])('%s, and answered as by the route', async (_what, status, headers, body) => {
    const id = { 'x-request-id': 'direct-1' };
    const direct = await told({ ...headers, ...id }, body);
    expect(direct).toMatchObject({
      fields: expect.arrayContaining([expect.stringContaining(` ${status} `)]),
    });
    expect(direct).toEqual(await told({ ...headers, ...id, ...BY_THE_ROUTE }, body));
  });

  it('is refused when its provider sends too fast, as by the route', async () => {
    const body = jsonRow({ provider: '"slow"' });
    expect(await told({ ...USUAL, 'x-request-id': 'a' }, body)).not.toHaveProperty('code');
    const direct = await told({ ...USUAL, 'x-request-id': 'a' }, body);
    expect(direct).toMatchObject({ code: 'rate-limited' });
    const route = await told({ ...USUAL, 'x-request-id': 'a', ...BY_THE_ROUTE }, body);
    expect(direct).toEqual(route);
  });

  it('gets an id of its own', async () => {
    const client = await RawClient.to(served.service.url);
    const ids = new Set<string | undefined>();
    for (const given of [{}, {}, { 'x-request-id': 'a b' }]) {
      await client.send(post('/v1/bars', { ...USUAL, ...given }, jsonRow()));
      ids.add(/x-request-id: ([0-9a-f-]{36})\r\n/.exec((await client.answers())[0] ?? '')?.[1]);
    }
    client.socket.destroy();
    expect(ids.size).toBe(3);
    expect(ids).not.toContain(undefined);
  });

  it('is stored, and counted', async () => {
    const counted = async (): Promise<number> => {
      const text = await (await served.service.fetch('/metrics')).text();
      return Number(
        /^http_requests_total\{method="POST",endpoint="\/v1\/bars",status="202"\} (\d+)/m.exec(text)?.[1],
      );
    };
    const before = await counted();
    await told(USUAL, jsonRow({ symbol: '"DIRECT"' }));
    expect(await counted()).toBe(before + 1);
    await eventually('it is stored', async () => {
      const answer = await served.service.fetch('/v1/bars?symbols=DIRECT');
      return ((await answer.json()) as { bars: unknown[] }).bars.length === 1;
    });
  });
});

it('a service that is stopped refuses small bodies while it writes, and does not wait for its clients', async () => {
  const other = await startService({ DATABASE_URL: served.database.url, MDS_SHUTDOWN_TIMEOUT_SEC: '4' });
  const [idle, busy] = [await RawClient.to(other.url), await RawClient.to(other.url)];
  await served.database.query('BEGIN');
  await served.database.query('LOCK TABLE bars IN ACCESS EXCLUSIVE MODE');
  const exit = once(other.process, 'exit');
  const start = Date.now();
  try {
    await idle.send(post('/v1/bars', USUAL, jsonRow()));
    expect((await idle.answers())[0]).toMatch(/^HTTP\/1\.1 202 [^]*Connection: keep-alive/);
    other.process.kill('SIGTERM');
    await eventually('it drains', () => other.output().includes('shutting down'));
    await busy.send(post('/v1/bars', USUAL, jsonRow()));
    const [refusal] = await busy.answers();
    expect(refusal).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n[^]*Connection: close\r\n/);
    expect(refusal).toContain('"code":"draining"');
    await busy.ended();
  } finally {
    await served.database.query('COMMIT');
  }
  await idle.ended();
  expect(await exit).toEqual([0, null]);
  expect(Date.now() - start).toBeLessThan(10_000);
});
