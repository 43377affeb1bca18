import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { Client } from 'pg';

import { bar, ServedDatabase, TYPES, write } from '../api/api.samples.js';
import { readExposition } from '../contract/exposition.js';
import { follow } from '../feedback/followed.stream.js';
import { createDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/redis.js';
import { startService, type TestService, TOKENS } from '../support/service.js';

interface Entry {
  readonly provider: string;
  readonly scale: number;
}

async function entriesOf({ service }: ServedDatabase): Promise<Entry[]> {
  const answer = await service.fetch('/v1/rate-control/providers');
  return ((await answer.json()) as { providers: Entry[] }).providers;
}

async function scrape({ service }: ServedDatabase) {
  return readExposition(await (await service.fetch('/metrics')).text());
}

function send({ service }: ServedDatabase, method: string, path: string, body: object) {
  return service.fetch(`/v1/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function tell(served: ServedDatabase, level: string) {
  const event = { coordinator_id: 'elsewhere', queue_size: 9, capacity: 10, level, ts: Date.now() / 1000 };
  expect((await send(served, 'POST', 'feedback', event)).status).toBe(202);
}

const post = ({ service }: ServedDatabase, provider: string) =>
  service.post(write([bar({ provider })], 'json'), TYPES.json, '?ack=durable');

describe('C3: a provider for which no rate is set', () => {
  // Long enough that no level expires by itself.
  const served = new ServedDatabase({ MDS_FB_HEARTBEAT_SEC: '600' });
  const entryOf = async (name: string) => (await entriesOf(served)).find(({ provider }) => provider === name);

  it('has an entry, a sample and an adjustment from its first bar on', async () => {
    const stream = await follow(served.service, 'adjustment');
    expect(await entriesOf(served)).toEqual([]);
    expect((await post(served, 'ibkr')).status).toBe(202);
    expect(await entriesOf(served)).toEqual([
      {
        provider: 'ibkr',
        refill_rate: null,
        burst: null,
        scale: 1,
        pressure: 'ok',
        tokens: null,
        circuit_state: 'closed',
        cooldown_until: null,
      },
    ]);
    const scraped = await scrape(served);
    expect(scraped.value('pipeline_rate_scale_factor', { provider: 'ibkr' })).toBe(1);
    expect(scraped.value('pipeline_backpressure_state', { provider: 'ibkr' })).toBe(0);
    await eventually('its scale is told', () => stream.events.length === 1);
    expect(stream.events[0]).toMatchObject({ provider: 'ibkr', scale: 1, reason: 'ok' });
    stream.stop();
  });

  it('follows the level, is told so, and is not refused', async () => {
    const stream = await follow(served.service, 'adjustment');
    await tell(served, 'hard');
    await eventually('the scale is 0', async () => (await entryOf('ibkr'))?.scale === 0);
    const scraped = await scrape(served);
    expect(scraped.value('pipeline_rate_scale_factor', { provider: 'ibkr' })).toBe(0);
    expect(scraped.value('pipeline_backpressure_state', { provider: 'ibkr' })).toBe(2);
    await eventually('it is told', () => stream.events.at(-1)?.['scale'] === 0);
    expect(stream.events.at(-1)).toMatchObject({ provider: 'ibkr', reason: 'hard' });
    stream.stop();

    expect((await post(served, 'ibkr')).status).toBe(202);
    // One whose first bar comes now is told the level that holds.
    expect((await post(served, 'polygon')).status).toBe(202);
    expect(await entryOf('polygon')).toMatchObject({ scale: 0, pressure: 'hard' });
    const acquired = await send(served, 'POST', 'rate-control/providers/ibkr/acquire', { tokens: 5 });
    expect([acquired.status, await acquired.json()]).toEqual([200, { granted: 5, remaining: null }]);

    expect(served.service.output()).toContain(
      'ibkr may send at 0 of full speed (hard); this is told and not enforced: no rate is set',
    );
    expect(served.service.output()).not.toContain('of its rate');
  });

  it('is refused when a rate is set for it, and then the log says so', async () => {
    const rate = { refill_rate: 1000, burst: 1000 };
    const put = await send(served, 'PUT', 'rate-control/providers/ibkr', rate);
    expect(await put.json()).toMatchObject({ ...rate, scale: 0, pressure: 'hard', tokens: 1000 });
    const refused = await post(served, 'ibkr');
    expect([refused.status, refused.json.code]).toEqual([429, 'rate-limited']);
    await tell(served, 'ok');
    await eventually('it is released', async () => (await entryOf('ibkr'))?.scale === 1);
    expect((await post(served, 'ibkr')).status).toBe(202);
    await eventually('it is logged', () =>
      served.service.output().includes('ibkr may send at 1 of the rate that is set (ok)'),
    );
  });

  it('is refused while a cooldown is on that was asked for it', async () => {
    const cool = (seconds: number) =>
      send(served, 'POST', 'rate-control/providers/polygon/cooldown', { seconds });
    expect((await cool(600)).status).toBe(200);
    const refused = await post(served, 'polygon');
    expect([refused.status, refused.json.code]).toEqual([429, 'rate-limited']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(300);
    expect((await cool(0)).status).toBe(200);
    expect((await post(served, 'polygon')).status).toBe(202);
  });
});

describe('a provider without an entry', () => {
  const served = new ServedDatabase({ MDS_FB_HEARTBEAT_SEC: '600' });
  const entryOf = async (name: string) => (await entriesOf(served)).find(({ provider }) => provider === name);

  it('keeps an adjustment that is made before its first bar, until the level changes', async () => {
    const adjustment = { provider: 'ibkr', scale: 0.25, reason: 'soft', ts: 1 };
    expect((await send(served, 'POST', 'rate-control/adjustments', adjustment)).status).toBe(202);
    expect((await post(served, 'ibkr')).status).toBe(202);
    expect(await entryOf('ibkr')).toMatchObject({ scale: 0.25, pressure: 'soft' });
    await tell(served, 'hard');
    await eventually('it follows the level', async () => (await entryOf('ibkr'))?.scale === 0);
  });

  it('gets one by a cooldown, which its first bars obey, but not under a name that none can have', async () => {
    const cool = (name: string) =>
      send(served, 'POST', `rate-control/providers/${name}/cooldown`, { seconds: 600 });
    expect((await cool('polygon')).status).toBe(200);
    expect((await post(served, 'polygon')).status).toBe(429);
    expect((await cool('a%20b')).status).toBe(422);
    const asked = await send(served, 'POST', 'rate-control/providers/unknown/acquire', { tokens: 5 });
    expect(asked.status).toBe(404);
    expect(await asked.json()).toMatchObject({ detail: expect.stringMatching(/^unknown has no entry/) });
  });
});

describe('C3: providers that a client makes up', () => {
  const served = new ServedDatabase();

  it('get an entry and a sample up to 1,000 of them, and all have their bars taken', async () => {
    const bars = Array.from({ length: 1_200 }, (_, at) => bar({ provider: `made-up-${at}` }));
    for (let times = 0; times < 2; times += 1) {
      const { status, json } = await served.service.post(write(bars, 'csv'), TYPES.csv, '?ack=durable');
      expect([status, json['accepted']]).toEqual([202, 1_200]);
    }
    expect(await entriesOf(served)).toHaveLength(1_000);
    expect((await scrape(served)).sum('pipeline_rate_scale_factor')).toBe(1_000);
    expect(served.service.output().match(/1000 providers have sent bars/g)).toHaveLength(1);
    // A rate can be set for another all the same.
    const put = await send(served, 'PUT', 'rate-control/providers/real', { refill_rate: 10, burst: 10 });
    expect(put.status).toBe(200);
    await tell(served, 'soft');
    await eventually('all are slowed', async () =>
      (await entriesOf(served)).every(({ scale }) => scale === 0.5),
    );
    await eventually('it is a line', () => served.service.output().includes('and 995 more may send'));
  });
});

describe('a provider that comes when as many as may be have an entry', () => {
  const served = new ServedDatabase({ INGEST_TOKEN: TOKENS.ingest, MDS_FB_HEARTBEAT_SEC: '600' });
  const entryOf = async (name: string) => (await entriesOf(served)).find(({ provider }) => provider === name);
  const samplesOf = async (name: string) => {
    const scraped = await scrape(served);
    return ['pipeline_rate_scale_factor', 'pipeline_backpressure_state'].map((metric) =>
      scraped.value(metric, { provider: name }),
    );
  };

  beforeAll(async () => {
    const bars = Array.from({ length: 1_000 }, (_, at) => bar({ provider: `made-up-${at}` }));
    const { status } = await served.service.post(write(bars, 'csv'), TYPES.csv, '?ack=durable');
    expect([status, (await entriesOf(served)).length]).toEqual([202, 1_000]);
    expect(await samplesOf('made-up-0')).toEqual([1, 0]);
  });

  it('gets the entry that the token with the most has used least lately', async () => {
    const headers = { authorization: `Bearer ${TOKENS.ingest}` };
    const real = write([bar({ provider: 'real' })], 'json');
    expect((await served.service.post(real, TYPES.json, '?ack=durable', headers)).status).toBe(202);
    expect(await entryOf('real')).toMatchObject({ scale: 1, pressure: 'ok' });
    expect(await entriesOf(served)).toHaveLength(1_000);
    expect(await entryOf('made-up-0')).toBeUndefined();
    expect(await samplesOf('made-up-0')).toEqual([undefined, undefined]);
    expect(await samplesOf('real')).toEqual([1, 0]);
    // Of the token that made them up it gets none: all of its entries were used within the minute.
    expect((await post(served, 'made-up-0')).status).toBe(202);
    expect(await entryOf('made-up-0')).toBeUndefined();
    const stream = await follow(served.service, 'adjustment');
    await tell(served, 'soft');
    await eventually('it is told', () =>
      stream.events.some(({ provider, scale }) => provider === 'real' && scale === 0.5),
    );
    stream.stop();
  });

  it('gets one by an adjustment and by a cooldown, whoever used the others and when', async () => {
    const stream = await follow(served.service, 'adjustment');
    const adjustment = { provider: 'adjusted', scale: 0.25, reason: 'soft', ts: 1 };
    expect((await send(served, 'POST', 'rate-control/adjustments', adjustment)).status).toBe(202);
    expect(await entryOf('adjusted')).toMatchObject({ scale: 0.25 });
    await eventually('it is told', () =>
      stream.events.some(({ provider, scale }) => provider === 'adjusted' && scale === 0.25),
    );
    stream.stop();
    const paused = await send(served, 'POST', 'rate-control/providers/paused/cooldown', { seconds: 600 });
    expect([paused.status, await paused.json()]).toMatchObject([200, { provider: 'paused' }]);
    expect((await post(served, 'paused')).status).toBe(429);
    expect(await entriesOf(served)).toHaveLength(1_000);
  });
});

describe('C2: two stores that post their events to each other', () => {
  const FEEDBACK_TOKEN = 'token-for-the-other-store';
  const urls: string[] = [];
  const stores: TestService[] = [];
  const endings: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    const ports = [await freePort(), await freePort()] as const;
    for (const [at, id] of (['first', 'second'] as const).entries()) {
      const database = await createDatabase();
      urls.push(database.url);
      endings.push(() => database.drop());
      const store = await startService({
        DATABASE_URL: database.url,
        APP_PORT: String(ports[at]),
        FEEDBACK_TOKEN,
        MDS_COORDINATOR_ID: id,
        MDS_COORDINATOR_CAPACITY: '1000',
        MDS_COORDINATOR_WORKERS: '1',
        // Long enough that only what is posted counts.
        MDS_FB_HEARTBEAT_SEC: '600',
        MDS_FB_ENABLE_HTTP_BROADCAST: 'true',
        MDS_FB_HTTP_ENDPOINT: `http://127.0.0.1:${ports[1 - at]}/v1/feedback`,
        MDS_FB_HTTP_TOKEN: FEEDBACK_TOKEN,
      });
      stores.push(store);
      endings.push(() => store.stop());
    }
  });
  afterAll(async () => {
    for (const end of endings.reverse()) await end();
  });

  const storeAt = (at: number): TestService => {
    const store = stores[at];
    if (store === undefined) throw new Error('the store is not started');
    return store;
  };
  const [first, second] = [() => storeAt(0), () => storeAt(1)];
  const scaleIn = async (store: TestService) => {
    const answer = await store.fetch('/v1/rate-control/providers');
    const { providers } = (await answer.json()) as { providers: Entry[] };
    return providers.find(({ provider }) => provider === 'ibkr')?.scale;
  };
  const eventsOf = async (store: TestService) =>
    readExposition(await (await store.fetch('/metrics')).text()).sum('mds_feedback_events_total');
  const take = (store: TestService, from: number, rows: number) => {
    const bars = Array.from({ length: rows }, (_, row) =>
      bar({ ts: new Date((from + row) * 86_400_000).toISOString() }),
    );
    return store.post(write(bars, 'csv'), TYPES.csv, '?ack=durable');
  };

  it('hear each other, obey, and send nothing on', async () => {
    expect((await take(second(), 0, 1)).status).toBe(202);
    expect(await scaleIn(second())).toBe(1);
    const lock = await lockedBars(urls[0]);
    expect((await take(first(), 0, 900)).status).toBe(202);
    await eventually('the second holds its provider', async () => (await scaleIn(second())) === 0);
    const { events } = (await (await second().fetch('/v1/feedback')).json()) as {
      events: Record<string, unknown>[];
    };
    expect(events).toEqual([
      expect.objectContaining({ coordinator_id: 'first', level: 'hard', capacity: 1000, utilization: 0.9 }),
    ]);
    // An event that was sent back would come in the first's own name, and be warned of.
    await lock.release();
    await eventually('the second is released', async () => (await scaleIn(second())) === 1);
    expect(await scaleIn(first())).toBe(1);
    // Events arrive in order: one that was sent back came before the next crossings, which mark the end.
    const again = await lockedBars(urls[0]);
    expect((await take(first(), 1_000, 900)).status).toBe(202);
    await eventually('the second holds it again', async () => (await scaleIn(second())) === 0);
    await again.release();
    await eventually('the second releases it again', async () => (await scaleIn(second())) === 1);
    // Its own crossings and nothing that came back.
    const told = await eventsOf(first());
    await eventually('the second has heard all', async () => (await eventsOf(second())) >= told);
    expect(await eventsOf(second())).toBe(told);
    expect(first().output()).not.toContain('own name');
    for (const store of [first(), second()]) {
      const health = await (await store.fetch('/healthz')).text();
      const config = await (await store.fetch('/v1/config')).text();
      expect([store.output(), health, config].join()).not.toContain(FEEDBACK_TOKEN);
    }
  });
});

describe('C2: a store whose token for another is wrong', () => {
  const served = new ServedDatabase();

  it('says what to change, and not the token', async () => {
    const database = await createDatabase();
    const store = await startService({
      DATABASE_URL: database.url,
      MDS_COORDINATOR_ID: 'other',
      MDS_COORDINATOR_CAPACITY: '10',
      MDS_FB_ENABLE_HTTP_BROADCAST: 'true',
      MDS_FB_HTTP_ENDPOINT: `${served.service.url}/v1/feedback`,
      MDS_FB_HTTP_TOKEN: TOKENS.read,
    });
    try {
      const lock = await lockedBars(database.url);
      const bars = Array.from({ length: 9 }, (_, at) => bar({ symbol: `S${at}` }));
      await store.post(write(bars, 'csv'), TYPES.csv, '?ack=durable');
      await eventually('it is logged', () =>
        store.output().includes('answered 403: it wants another token (MDS_FB_HTTP_TOKEN)'),
      );
      expect(store.output()).not.toContain(TOKENS.read);
      await lock.release();
    } finally {
      await store.stop();
      await database.drop();
    }
  });
});

describe('C4: MDP_FB_USE_CORE_CONTRACTS=false', () => {
  const served = new ServedDatabase({
    MDP_FB_USE_CORE_CONTRACTS: 'false',
    MDS_FB_HEARTBEAT_SEC: '600',
    MDP_RATE_PROVIDERS: 'ibkr:1000:1000',
  });
  const standing = async () => {
    const [{ scale, pressure } = {}] = (await entriesOf(served)) as { scale?: number; pressure?: string }[];
    return `${scale} ${pressure}`;
  };

  it.each([
    ['a level in upper case', { level: 'HARD' }, '0 hard'],
    ['mixed case and no more', { level: 'Soft' }, '0.5 soft'],
    ['no level, which counts as ok', { queue_size: 7 }, '1 ok'],
  ])('takes an older event with %s, and rates follow it', async (_what, event, expected) => {
    expect((await send(served, 'POST', 'feedback', event)).status).toBe(202);
    await eventually('the rate follows', async () => (await standing()) === expected);
  });

  it('still takes adjustments, refuses what is no event, and answers status in health', async () => {
    const adjustment = { provider: 'ibkr', scale: 0.3, reason: 'soft', ts: 1 };
    expect((await send(served, 'POST', 'rate-control/adjustments', adjustment)).status).toBe(202);
    expect(await standing()).toBe('0.3 soft');
    const refused = await send(served, 'POST', 'feedback', { level: 'panic' });
    expect(refused.status).toBe(422);
    for (const path of ['/health', '/healthz']) {
      const health: unknown = await (await served.service.fetch(path)).json();
      expect(health).toMatchObject({ status: 'healthy', state: 'healthy', ok: true });
    }
  });

  it('warns once on stderr that it is removed, and when', () => {
    const output = served.service.output();
    expect(output.match(/DeprecationWarning/g)).toHaveLength(1);
    expect(output).toMatch(/\[MDS_DEP0001\] DeprecationWarning: .*\n.*Version 0\.5\.0 removes them/);
  });
});

describe('C4: by default', () => {
  const served = new ServedDatabase();

  it('none of the older ways in is there, and nothing warns of it', async () => {
    for (const event of [{ level: 'HARD' }, { queue_size: 7 }])
      expect((await send(served, 'POST', 'feedback', event)).status).toBe(422);
    expect(await (await served.service.fetch('/health')).json()).not.toHaveProperty('status');
    expect(served.service.output()).not.toContain('DeprecationWarning');
  });
});

/** Holds every write of bars up until it is released. */
async function lockedBars(url: string | undefined): Promise<{ release(): Promise<void> }> {
  const client = new Client({ connectionString: url });
  // A failed test drops the database under it.
  client.on('error', () => undefined);
  await client.connect();
  await client.query('BEGIN; LOCK TABLE bars IN EXCLUSIVE MODE');
  return {
    release: async () => {
      await client.query('COMMIT');
      await client.end();
    },
  };
}
