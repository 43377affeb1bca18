import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { createClient } from 'redis';

import { EmbeddedPostgres } from '../../src/database/embedded/index.js';
import { FeedbackReceiver } from '../coordinator/feedback.receiver.js';
import { eventually } from '../support/eventually.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { describeWith } from '../support/requirement.js';
import { startService, type TestService } from '../support/service.js';

type Event = Record<string, unknown>;

const schema = JSON.parse(
  readFileSync('test/contracts/core-1.1.0/telemetry.FeedbackEvent.schema.json', 'utf8'),
) as object;
const isCoreEvent = new Ajv2020().compile(schema);

const HEARTBEAT_SEC = 0.5;
const BATCH = 100;

let directory: string;
let postgres: EmbeddedPostgres;
let redis: TestRedis;
let receiver: FeedbackReceiver;
let service: TestService;
let subscriber: { close(): Promise<unknown> };
const published: Event[] = [];

describeWith('redis-server', 'the feedback loop', () => {
  beforeAll(async () => {
    directory = await makeOpenDirectory();
    postgres = new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: 0 });
    const url = await postgres.start();
    redis = await startRedis();
    receiver = await new FeedbackReceiver().open();
    const client = createClient({ url: redis.url });
    client.on('error', () => undefined);
    await client.connect();
    await client.subscribe('feedback', (message) => published.push(JSON.parse(message) as Event));
    subscriber = client;
    service = await startService({
      DATABASE_URL: url,
      MDS_COORDINATOR_ID: 'first',
      MDS_COORDINATOR_CAPACITY: '1000',
      // The queue is to fill up: the circuit would refuse bars before.
      MDS_CB_FAILURE_THRESHOLD: '1000',
      MDS_FB_HEARTBEAT_SEC: String(HEARTBEAT_SEC),
      MDS_FB_ENABLE_HTTP_BROADCAST: 'true',
      MDS_FB_HTTP_ENDPOINT: receiver.url,
      MDS_FB_ENABLE_REDIS: 'true',
      REDIS_URL: redis.url,
      MDP_RATE_PROVIDERS: 'load:1000000:1000000',
      MDP_FB_PROVIDER_NAME: 'load',
    });
  }, 90_000);

  afterAll(async () => {
    await service.stop();
    await postgres.stop();
    await subscriber.close();
    await redis.kill();
    await receiver.close();
    await removeDatabase(directory);
  }, 60_000);

  let next = 0;
  const batch = () =>
    Array.from({ length: BATCH }, () => {
      next += 1;
      return JSON.stringify({
        ...{ provider: 'load', symbol: 'LOOP', interval: '1m', ts: next * 60 },
        ...{ open: 1, high: 1, low: 1, close: 1, volume: 1 },
      });
    }).join('\n');

  const scale = async () => {
    const answer = await service.fetch('/v1/rate-control/providers');
    const { providers } = (await answer.json()) as { providers: { provider: string; scale: number }[] };
    return providers.find(({ provider }) => provider === 'load')?.scale;
  };

  it('slows a producer down to nothing while the database is away, and releases it by itself', async () => {
    const adjustments = await follow(service, 'adjustment');
    expect((await service.post(batch())).status).toBe(200);
    await expect(scale()).resolves.toBe(1);
    const { port } = new URL(await postgres.start());

    await postgres.stop();
    const waiting: Promise<unknown>[] = [];
    for (let posted = 0; posted < 8; posted += 1) {
      waiting.push(service.post(batch()).catch(() => undefined));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await eventually('the provider is paused', 10_000, async () => (await scale()) === 0);
    const refused = await service.post(batch());
    expect([refused.status, refused.json.code]).toEqual([429, 'rate-limited']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await (await service.fetch('/healthz')).json()).toMatchObject({ state: 'degraded', ok: true });

    postgres = new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: Number(port) });
    await postgres.start();
    await eventually('the provider is released', 20_000, async () => (await scale()) === 1);
    await Promise.all(waiting);
    expect((await service.post(batch())).status).toBe(200);

    expect(adjustments.events.map((event) => event['scale'])).toEqual([0.5, 0, 1]);
    for (const events of [receiver.requests.map(({ event }) => event), published]) {
      const levels = events.filter((event) => event['reason'] !== 'heartbeat').map((event) => event['level']);
      expect(levels).toEqual(['soft', 'hard', 'ok']);
      for (const event of events) {
        expect(isCoreEvent(event)).toBe(true);
        expect(event).toMatchObject({ coordinator_id: 'first', source: 'store', capacity: 1000 });
        expect(typeof event['reason']).toBe('string');
      }
    }
    adjustments.stop();
  }, 90_000);

  it('holds a shared provider at the worst level of two stores, and forgets a store that fell silent', async () => {
    const other = (level: string) =>
      service.fetch('/v1/feedback', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          coordinator_id: 'second',
          queue_size: 9,
          capacity: 10,
          level,
          ts: Date.now() / 1000,
        }),
      });
    expect((await other('hard')).status).toBe(202);
    await eventually('the provider is paused', 2_000, async () => (await scale()) === 0);
    // This store's own level is ok; it must not release the provider.
    expect((await other('soft')).status).toBe(202);
    await eventually('the provider is slowed', 2_000, async () => (await scale()) === 0.5);
    await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_SEC * 2_000));
    await expect(scale()).resolves.toBe(0.5);
    await eventually(
      'the silent store is forgotten',
      HEARTBEAT_SEC * 4_000,
      async () => (await scale()) === 1,
    );
  }, 30_000);

  it('lets what it published itself and hears again change nothing', async () => {
    const heard = published.length;
    const answer = await service.fetch('/v1/feedback', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        coordinator_id: 'first',
        queue_size: 9,
        capacity: 10,
        level: 'hard',
        ts: Date.now() / 1000,
      }),
    });
    expect(answer.status).toBe(202);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await expect(scale()).resolves.toBe(1);
    expect(published).toHaveLength(heard);
  });

  it('refuses each invalid sample with the field named', async () => {
    const samples = JSON.parse(readFileSync('test/contracts/samples/FeedbackEvent.invalid.json', 'utf8')) as {
      why: string;
      event: object;
    }[];
    for (const { why, event } of samples) {
      const answer = await service.fetch('/v1/feedback', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(event),
      });
      const { code, errors } = (await answer.json()) as { code: string; errors: { pointer: string }[] };
      const field = /queue_size|capacity|level|ts/.exec(why.replace('zero ', ''))?.[0] ?? '';
      expect([why, answer.status, code, errors.map(({ pointer }) => pointer)]).toEqual([
        why,
        422,
        'invalid-document',
        [`/${field}`],
      ]);
    }
  });

  it('gives a reader that comes back what it missed', async () => {
    const first = await follow(service, 'adjustment');
    const adjust = (value: number) =>
      service.fetch('/v1/rate-control/adjustments', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ provider: 'other', scale: value, reason: 'soft', ts: Date.now() / 1000 }),
      });
    expect((await adjust(0.1)).status).toBe(202);
    await eventually('it is heard', 2_000, () => first.events.some((event) => event['scale'] === 0.1));
    first.stop();
    await adjust(0.2);
    await adjust(0.3);
    const second = await follow(service, 'adjustment', first.lastId());
    await eventually('what was missed is heard', 2_000, () => second.events.length >= 2);
    expect(second.events.map((event) => event['scale'])).toEqual([0.2, 0.3]);
    second.stop();
  });

  it('serves the tokens of a provider, its cooldown, and refuses what is not registered', async () => {
    const send = (method: string, path: string, body: object) =>
      service.fetch(`/v1/rate-control/providers/${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect((await send('PUT', 'p', { refill_rate: 10, burst: 100 })).status).toBe(200);
    expect(await (await send('POST', 'p/acquire', { tokens: 60 })).json()).toMatchObject({ granted: 60 });
    const refused = await send('POST', 'p/acquire', { tokens: 90 });
    expect(refused.status).toBe(429);
    // 40 left, 90 wanted, 10 a second.
    expect([4, 5]).toContain(Number(refused.headers.get('retry-after')));
    expect((await send('POST', 'p/cooldown', { seconds: 30 })).status).toBe(200);
    const paused = await send('POST', 'p/acquire', { tokens: 1 });
    expect([paused.status, Number(paused.headers.get('retry-after')) > 25]).toEqual([429, true]);
    expect((await send('POST', 'nobody/acquire', { tokens: 1 })).status).toBe(404);
    expect((await send('PUT', 'p', { refill_rate: -1, burst: 'x' })).status).toBe(422);
  });
});

/** Reads the stream of the service. */
async function follow(
  from: TestService,
  kind: string,
  lastEventId?: string,
): Promise<{ events: Event[]; lastId(): string; stop(): void }> {
  const abort = new AbortController();
  const answer = await from.fetch('/v1/feedback/stream', {
    signal: abort.signal,
    ...(lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } }),
  });
  const events: Event[] = [];
  let id = '';
  const read = async () => {
    let text = '';
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk as Uint8Array).toString();
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const fields = Object.fromEntries(
          text
            .slice(0, end)
            .split('\n')
            .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
        );
        text = text.slice(end + 2);
        id = fields['id'] ?? id;
        if (fields['event'] === kind) events.push(JSON.parse(fields['data'] ?? '') as Event);
      }
    }
  };
  read().catch(() => undefined);
  return { events, lastId: () => id, stop: () => abort.abort() };
}
