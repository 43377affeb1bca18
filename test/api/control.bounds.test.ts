import { afterAll, beforeAll, expect, it } from '@jest/globals';

import { jsonRow } from '../bars/decode.samples.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { RawClient } from '../support/raw.client.js';
import { startService, TOKENS, type TestService } from '../support/service.js';
import { TYPES } from './api.samples.js';

let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  database = await createDatabase();
  service = await startService({ DATABASE_URL: database.url, MDP_RATE_PROVIDERS: 'p:10:100' });
});
afterAll(async () => {
  await service.stop();
  await database.drop();
});

async function post(path: string, body: object): Promise<{ status: number; code: unknown }> {
  const answer = await service.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, code: ((await answer.json()) as { code?: unknown }).code };
}

async function readers(): Promise<number> {
  const health = (await (await service.fetch('/healthz')).json()) as {
    components: { name: string; details: Record<string, string> }[];
  };
  return Number(health.components.find(({ name }) => name === 'feedback_bus')?.details['readers']);
}

it('a document of the control plane may not be of the size of bars', async () => {
  const tooLong = { tokens: 1, note: 'x'.repeat(70_000) };
  expect(await post('/v1/rate-control/providers/p/acquire', tooLong)).toEqual({
    status: 413,
    code: 'body-too-large',
  });
});

it('nobody may take more than the burst at once, and be in debt for years', async () => {
  const path = '/v1/rate-control/providers/p/acquire';
  expect(await post(path, { tokens: 1e9 })).toEqual({ status: 422, code: 'invalid-document' });
  expect(await post(path, { tokens: 100 })).toEqual({ status: 200, code: undefined });
});

it('an adjustment for a provider that cannot be is refused with the field named', async () => {
  for (const provider of ['', 'a b', 'x'.repeat(65)]) {
    const answer = await service.fetch('/v1/rate-control/adjustments', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ provider, scale: 0.5, reason: 'soft', ts: 1 }),
    });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({
      code: 'invalid-document',
      errors: [{ pointer: '/provider', detail: 'must be 1 to 64 characters of A-Za-z0-9._-' }],
    });
  }
});

it('five pauses of a provider with no bars taken between them open its circuit', async () => {
  const put = await service.fetch('/v1/rate-control/providers/paced', {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refill_rate: 1000, burst: 1000 }),
  });
  expect(put.status).toBe(200);
  const pause = async (times: number) => {
    let state: unknown;
    for (let at = 0; at < times; at += 1) {
      const answer = await service.fetch('/v1/rate-control/providers/paced/cooldown', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ seconds: 0.001 }),
      });
      state = ((await answer.json()) as { circuit_state: unknown }).circuit_state;
    }
    return state;
  };
  const send = async () => {
    const { status, json } = await service.post(
      jsonRow({ provider: '"paced"' }),
      TYPES.ndjson,
      '?ack=durable',
    );
    return [status, json.code];
  };
  expect(await pause(4)).toBe('closed');
  await eventually('the pause is over', async () => (await send())[0] === 202);
  expect(await pause(4)).toBe('closed');
  expect(await pause(1)).toBe('open');
  expect(await send()).toEqual([429, 'rate-limited']);
});

it('streams asked for on one connection do not hold places when it is gone', async () => {
  const client = await RawClient.to(service.url);
  const request = `GET /v1/feedback/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS.read}\r\n\r\n`;
  await client.send(request.repeat(100));
  await eventually('it is answered', () => client.has('HTTP/1.1 200 '));
  await eventually('one reader is counted', async () => (await readers()) === 1);
  client.socket.destroy();
  await eventually('no reader is left', async () => (await readers()) === 0);
});
