import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { afterAll, beforeAll, expect, it } from '@jest/globals';

import { EmbeddedPostgres } from '../../src/database/embedded/index.js';
import { coreErrors } from '../coordinator/feedback.events.js';
import { FeedbackReceiver } from '../coordinator/feedback.receiver.js';
import { samplesOf } from '../support/core.schemas.js';
import { eventually } from '../support/eventually.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { describeWith } from '../support/requirement.js';
import { startService, type TestService } from '../support/service.js';
import { follow } from './followed.stream.js';

type Event = Record<string, unknown>;

const HEARTBEAT_SEC = 2;
const BATCH = 100;

let directory: string;
let postgres: EmbeddedPostgres;
let redis: TestRedis;
let receiver: FeedbackReceiver;
let service: TestService;
let subscriber: ChildProcess;
/** What `redis-cli SUBSCRIBE` printed. */
const published: Event[] = [];
/** What a failed start leaves running would keep Jest from ending. */
const endings: (() => unknown)[] = [];

const serverOn = (port: number) =>
  new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: port });

describeWith('redis-cli', 'the feedback loop', () => {
  beforeAll(async () => {
    directory = await makeOpenDirectory();
    endings.push(() => removeDatabase(directory));
    postgres = serverOn(0);
    endings.push(() => postgres.stop());
    const url = await postgres.start();
    redis = await startRedis();
    endings.push(() => redis.kill());
    receiver = await new FeedbackReceiver().open();
    endings.push(() => receiver.close());
    subscriber = await subscribe(redis.port);
    endings.push(() => subscriber.kill());
    service = await startService({
      DATABASE_URL: url,
      MDS_COORDINATOR_ID: 'first',
      MDS_COORDINATOR_CAPACITY: '1000',
      // The levels are to be those of the queue: an open circuit would hide some.
      MDS_CB_FAILURE_THRESHOLD: '1000',
      MDS_FB_HEARTBEAT_SEC: String(HEARTBEAT_SEC),
      MDS_FB_ENABLE_HTTP_BROADCAST: 'true',
      MDS_FB_HTTP_ENDPOINT: receiver.url,
      MDS_FB_ENABLE_REDIS: 'true',
      REDIS_URL: redis.url,
      MDP_RATE_PROVIDERS: 'load:1000000:1000000',
      MDP_FB_PROVIDER_NAME: 'load',
    });
    endings.push(() => service.stop());
  });

  afterAll(async () => {
    for (const end of endings.reverse()) await end();
  });

  let next = 0;
  const batch = () =>
    Array.from({ length: BATCH }, () => {
      next += 1;
      return JSON.stringify({
        ...{ provider: 'load', symbol: 'LOOP', interval: '1m', ts: 1_704_153_600 + next * 60 },
        ...{ open: 1, high: 1, low: 1, close: 1, volume: 1 },
      });
    }).join('\n');

  const postBars = () => service.post(batch(), undefined, '?ack=durable');

  const scale = async () => {
    const answer = await service.fetch('/v1/rate-control/providers');
    const { providers } = (await answer.json()) as { providers: { provider: string; scale: number }[] };
    return providers.find(({ provider }) => provider === 'load')?.scale;
  };

  it('slows a producer down to nothing while the database is away, and releases it by itself', async () => {
    const adjustments = await follow(service, 'adjustment');
    expect((await postBars()).status).toBe(202);
    await expect(scale()).resolves.toBe(1);
    const { port } = new URL(await postgres.start());

    await postgres.stop();
    // As any producer would: it goes on until it is told to stop.
    let refused = await postBars();
    for (let posts = 1; refused.status === 202 && posts < 100; posts += 1) refused = await postBars();
    expect([refused.status, refused.json.code]).toEqual([429, 'rate-limited']);
    expect(refused.headers.get('x-backpressure')).toBe('hard');
    // Not before the level is told again, which is when the pause may be over.
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(5);
    await expect(scale()).resolves.toBe(0);
    expect(await (await service.fetch('/healthz')).json()).toMatchObject({ state: 'degraded', ok: true });

    postgres = serverOn(Number(port));
    await postgres.start();
    await eventually('the provider is released', async () => (await scale()) === 1);

    await eventually('the reader of the stream has heard it', () => adjustments.events.length >= 4);
    // The first: what it may send is told also while nothing has changed it.
    expect(adjustments.events.map((event) => event['scale'])).toEqual([1, 0.5, 0, 1]);
    adjustments.stop();
    const posted = () => receiver.requests.map(({ event }) => event);
    for (const events of [posted, () => published]) {
      await eventually('the subscriber has heard it', () => events().at(-1)?.['level'] === 'ok');
      const levels = events().map((event) => event['level']);
      expect(levels.filter((level, at) => level !== levels[at - 1])).toEqual(['soft', 'hard', 'ok']);
      for (const event of events()) {
        expect(coreErrors(event)).toEqual([]);
        expect(event).toMatchObject({ coordinator_id: 'first', source: 'store', capacity: 1000 });
        expect(event['reason']).toEqual(expect.stringMatching(/^[a-z_]+$/));
        expect(Math.abs(Number(event['ts']) - Date.now() / 1000)).toBeLessThan(120);
      }
    }
    const reasons = new Set(published.map((event) => event['reason']));
    for (const reason of ['soft_watermark', 'high_watermark', 'queue_recovered'])
      expect(reasons).toContain(reason);
    // Last: on a slow machine these bars alone raise the level once more.
    expect((await postBars()).status).toBe(202);
  });

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
    await eventually('the provider is paused', async () => (await scale()) === 0);
    // This store's own level is ok; it must not release the provider.
    expect((await other('soft')).status).toBe(202);
    await eventually('the provider is slowed', async () => (await scale()) === 0.5);
    await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_SEC * 1_000));
    await expect(scale()).resolves.toBe(0.5);
    await eventually('the silent store is forgotten', async () => (await scale()) === 1);
  });

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
    const samples = samplesOf('FeedbackEvent.invalid.json') as { why: string; event: object }[];
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
    await eventually('it is heard', () => first.events.some((event) => event['scale'] === 0.1));
    first.stop();
    await adjust(0.2);
    await adjust(0.3);
    const second = await follow(service, 'adjustment', first.lastId());
    await eventually('what was missed is heard', () => second.events.length >= 2);
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
    expect((await send('PUT', 'p', { refill_rate: 1, burst: 100 })).status).toBe(200);
    expect(await (await send('POST', 'p/acquire', { tokens: 60 })).json()).toMatchObject({ granted: 60 });
    const refused = await send('POST', 'p/acquire', { tokens: 90 });
    expect(refused.status).toBe(429);
    // 40 left, 90 wanted, 1 a second.
    const wait = Number(refused.headers.get('retry-after'));
    expect([wait > 30, wait <= 50]).toEqual([true, true]);
    expect((await send('POST', 'p/cooldown', { seconds: 300 })).status).toBe(200);
    const paused = await send('POST', 'p/acquire', { tokens: 1 });
    expect([paused.status, Number(paused.headers.get('retry-after')) > 200]).toEqual([429, true]);
    expect((await send('POST', 'nobody/acquire', { tokens: 1 })).status).toBe(404);
    expect((await send('PUT', 'p', { refill_rate: -1, burst: 'x' })).status).toBe(422);
  });
});

/** Listens as an operator would. */
async function subscribe(port: number): Promise<ChildProcess> {
  const child = spawn('redis-cli', ['-p', String(port), 'SUBSCRIBE', 'feedback'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout);
  lines.on('line', (line) => {
    if (line.startsWith('{')) published.push(JSON.parse(line) as Event);
  });
  await once(lines, 'line');
  return child;
}
