import { describe, expect, it } from '@jest/globals';
import { createClient } from 'redis';

import { bar, ServedDatabase, TYPES, write } from '../api/api.samples.js';
import { redisStateOf } from '../feedback/stores.js';
import { eventually } from '../support/eventually.js';
import { RawClient } from '../support/raw.client.js';
import { startRedis } from '../support/redis.js';
import { describeWith } from '../support/requirement.js';
import { startService, TOKENS } from '../support/service.js';

const BOUND = 'bound-ingest-token-01';
const served = new ServedDatabase({
  INGEST_TOKEN: `${TOKENS.ingest},${BOUND}@own+second`,
  MDP_RATE_PROVIDERS: 'own:1000:1000,foreign:1000:1000',
});

interface Asked {
  readonly status: number;
  readonly code: string | undefined;
  readonly detail: string | undefined;
}

async function ask(method: string, path: string, token: string, body?: object): Promise<Asked> {
  const answer = await served.service.fetch(path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const isEvents = answer.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (isEvents) await answer.body?.cancel();
  const { code, detail } = (isEvents ? {} : await answer.json()) as { code?: string; detail?: string };
  return { status: answer.status, code, detail };
}

const now = () => Date.now() / 1_000;
const event = (fields: object = {}) => ({
  coordinator_id: 'invented',
  queue_size: 1,
  capacity: 1,
  level: 'ok',
  ts: now(),
  ...fields,
});
const adjustment = () => ({ provider: 'own', scale: 1, reason: 'ok', ts: now() });
const ACQUIRE = '/v1/rate-control/providers/own/acquire';
const COOLDOWN = '/v1/rate-control/providers/own/cooldown';

describe('B5: what a token may do', () => {
  it.each([
    ['POST', '/v1/feedback', event()],
    ['POST', '/v1/rate-control/adjustments', adjustment()],
    ['POST', COOLDOWN, { seconds: 0 }],
    ['PUT', '/v1/rate-control/providers/own', { refill_rate: 1_000, burst: 1_000 }],
    ['GET', '/v1/bars', undefined],
    ['GET', '/v1/rate-control/providers', undefined],
    ['GET', '/v1/coordinator', undefined],
  ])('an ingest token, bound or not, may not %s %s', async (method, path, body) => {
    for (const token of [TOKENS.ingest, BOUND])
      expect(await ask(method, path, token, body)).toMatchObject({ status: 403, code: 'forbidden' });
  });

  it('an ingest token may do what its producer needs to obey: read feedback, and acquire', async () => {
    for (const token of [TOKENS.ingest, BOUND]) {
      expect(await ask('GET', '/v1/feedback', token)).toMatchObject({ status: 200 });
      expect(await ask('GET', '/v1/feedback/stream', token)).toMatchObject({ status: 200 });
      expect(await ask('POST', ACQUIRE, token, { tokens: 1 })).toMatchObject({ status: 200 });
    }
  });

  it('a feedback token may post events, adjustments and cooldowns', async () => {
    expect(await ask('POST', '/v1/feedback', TOKENS.feedback, event())).toMatchObject({ status: 202 });
    const adjusted = await ask('POST', '/v1/rate-control/adjustments', TOKENS.feedback, adjustment());
    expect(adjusted).toMatchObject({ status: 202 });
    expect(await ask('POST', COOLDOWN, TOKENS.feedback, { seconds: 0 })).toMatchObject({ status: 200 });
  });

  it.each([
    ['GET', '/v1/bars', undefined],
    ['GET', '/v1/feedback', undefined],
    ['GET', '/v1/dlq', undefined],
    ['POST', '/v1/bars', bar()],
    ['POST', ACQUIRE, { tokens: 1 }],
    ['PUT', '/v1/rate-control/providers/own', { refill_rate: 1_000, burst: 1_000 }],
  ])('and not %s %s', async (method, path, body) => {
    expect(await ask(method, path, TOKENS.feedback, body)).toMatchObject({ status: 403, code: 'forbidden' });
  });

  it('and a refusal says which scope is needed and which the token has', async () => {
    const { detail } = await ask('POST', COOLDOWN, TOKENS.ingest, { seconds: 0 });
    expect(detail).toContain('feedback');
    expect(detail).toContain('ingest');
  });
});

describe('B5: a token that is bound to providers', () => {
  const post = (token: string, bars: readonly object[], query = '?ack=stored') =>
    served.service.post(write(bars as ReturnType<typeof bar>[], 'ndjson'), TYPES.ndjson, query, {
      authorization: `Bearer ${token}`,
    });

  it('may send bars of each of them', async () => {
    const { status, json } = await post(BOUND, [
      bar({ provider: 'own', symbol: 'OWN1' }),
      bar({ provider: 'second', symbol: 'OWN1' }),
    ]);
    expect({ status, accepted: json['accepted'] }).toEqual({ status: 200, accepted: 2 });
  });

  it.each([
    ['?ack=stored', 'answered by the route'],
    ['?ack=durable', 'not waited for'],
    ['?ack=stored&on_error=skip', 'of which only good rows are asked for'],
  ])('stores nothing of a body with a row of another (%s, %s), which the refusal names', async (query) => {
    const before = await served.stored();
    const bars = [bar({ provider: 'own', symbol: 'MIXED' }), bar({ provider: 'foreign', symbol: 'MIXED' })];
    const { status, json } = await post(BOUND, bars, query);
    expect({ status, code: json.code }).toEqual({ status: 403, code: 'provider-forbidden' });
    expect(json['detail']).toContain('foreign');
    expect(await served.stored()).toEqual(before);
  });

  it('nor of a small body that is answered past the HTTP server', async () => {
    const before = await served.stored();
    const body = write([bar({ provider: 'foreign', symbol: 'SMALL' })], 'ndjson');
    const client = await RawClient.to(served.service.url);
    await client.send(
      `POST /v1/bars HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${BOUND}\r\n` +
        `Content-Type: ${TYPES.ndjson}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    const [answer] = await client.answers();
    client.socket.destroy();
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain('"code":"provider-forbidden"');
    expect(await served.stored()).toEqual(before);
  });

  it('is told so whatever the case of the name: providers that differ in case are two', async () => {
    const { status } = await post(BOUND, [bar({ provider: 'OWN', symbol: 'CASE' })]);
    expect(status).toBe(403);
  });

  it('may not acquire for another, registered or not', async () => {
    for (const provider of ['foreign', 'nobody']) {
      const path = `/v1/rate-control/providers/${provider}/acquire`;
      const { status, code, detail } = await ask('POST', path, BOUND, { tokens: 1 });
      expect({ status, code }).toEqual({ status: 403, code: 'provider-forbidden' });
      expect(detail).toContain(provider);
    }
  });

  it('while a token that is not bound may send bars of all', async () => {
    const { status } = await post(TOKENS.ingest, [bar({ provider: 'foreign', symbol: 'FREE' })]);
    expect(status).toBe(200);
  });
});

describe('B5: an event from the future', () => {
  const post = (fields: object) => ask('POST', '/v1/feedback', TOKENS.feedback, event(fields));
  const levelOf = async (name: string) => {
    const { events } = JSON.parse(await served.get('/v1/feedback')) as {
      events: { coordinator_id: string; level: string }[];
    };
    return events.find(({ coordinator_id }) => coordinator_id === name)?.level;
  };

  it('is refused, and hides nothing that another store really says', async () => {
    const coordinator_id = 'honest';
    const hidden = await post({ coordinator_id, level: 'ok', ts: 1e15 });
    expect(hidden).toMatchObject({ status: 422, code: 'invalid-document' });
    expect(hidden.detail).toMatch(/^\/ts must be at most 5 s ahead/);
    expect(await levelOf(coordinator_id)).toBeUndefined();
    expect(await post({ coordinator_id, level: 'hard' })).toMatchObject({ status: 202 });
    expect(await levelOf(coordinator_id)).toBe('hard');
    await post({ coordinator_id, level: 'ok', ts: now() + 60 });
    expect(await levelOf(coordinator_id)).toBe('hard');
  });

  it('is taken when clocks differ by a second', async () => {
    expect(await post({ coordinator_id: 'ahead', ts: now() + 1 })).toMatchObject({ status: 202 });
  });
});

describe('B5: a cooldown', () => {
  it.each([
    [3_600, 200],
    [0, 200],
    [3_601, 422],
    [86_400, 422],
  ])('of %d s is answered with %d: an hour is the most', async (seconds, status) => {
    expect(await ask('POST', COOLDOWN, TOKENS.feedback, { seconds })).toMatchObject({ status });
    expect(await ask('POST', COOLDOWN, TOKENS.feedback, { seconds: 0 })).toMatchObject({ status: 200 });
  });

  it('is described so', async () => {
    const document = JSON.parse(await served.get('/openapi.json')) as {
      components: { schemas: Record<string, { properties: Record<string, { maximum?: number }> }> };
    };
    expect(document.components.schemas['CooldownDto']?.properties['seconds']?.maximum).toBe(3_600);
  });
});

describeWith('redis-server', 'B5: an event from the future on the Redis channel', () => {
  it('is dropped with a line in the log, and the next one is obeyed', async () => {
    const redis = await startRedis();
    const client = createClient({ url: redis.url });
    const store = await startService({
      DATABASE_URL: served.database.url,
      REDIS_URL: redis.url,
      MDP_FB_REDIS_SUBSCRIBE: 'true',
    });
    try {
      await client.connect();
      await eventually('Redis is found', async () => (await redisStateOf(store)) === 'healthy');
      const tell = (fields: object) => client.publish('feedback', JSON.stringify(event(fields)));
      for (let i = 0; i < 20; i++) await tell({ coordinator_id: 'ahead', level: 'hard', ts: 1e15 });
      await tell({ coordinator_id: 'punctual', level: 'soft' });
      const heard = async () => {
        const { events } = (await (await store.fetch('/v1/feedback')).json()) as {
          events: { coordinator_id: string }[];
        };
        return events
          .map(({ coordinator_id }) => coordinator_id)
          .filter((name) => /ahead|punctual/.test(name));
      };
      await eventually('the next one is heard', async () => (await heard()).includes('punctual'));
      expect(await heard()).toEqual(['punctual']);
      expect(store.output().match(/an event of "ahead" is dated/g)).toHaveLength(1);
    } finally {
      client.destroy();
      await store.stop();
      await redis.kill();
    }
  });
});
