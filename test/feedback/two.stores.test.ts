import { afterAll, beforeAll, expect, it } from '@jest/globals';

import { EmbeddedPostgres } from '../../src/database/embedded/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { describeWith } from '../support/requirement.js';
import { startService, type TestService } from '../support/service.js';
import {
  bars,
  levelOf,
  listen,
  type Listener,
  overrun,
  postBars,
  redisStateOf,
  scaleOf,
  SOFT_ROWS,
  storeSettings,
} from './stores.js';

const HEARTBEAT_MS = 2000;

let directory: string;
/** Of the first store alone: it is stopped to make that one `hard`. */
let postgres: EmbeddedPostgres;
let database: TestDatabase;
let redis: TestRedis;
let listener: Listener;
let first: TestService;
let second: TestService;

const serverOn = (port: number) =>
  new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: port });
/** What a failed start leaves running would keep Jest from ending. */
const endings: (() => Promise<unknown>)[] = [];

describeWith('redis-server', 'two stores on one Redis', () => {
  beforeAll(async () => {
    directory = await makeOpenDirectory();
    endings.push(() => removeDatabase(directory));
    postgres = serverOn(0);
    endings.push(() => postgres.stop());
    const url = await postgres.start();
    database = await createDatabase();
    endings.push(() => database.drop());
    redis = await startRedis();
    endings.push(() => redis.kill());
    listener = await listen(redis.url);
    endings.push(() => listener.close());
    first = await startStore('first', url);
    second = await startStore('second', database.url);
    for (const store of [first, second]) {
      await eventually('Redis is found', async () => (await redisStateOf(store)) === 'healthy');
    }
  });

  afterAll(async () => {
    for (const end of endings.reverse()) await end();
  });

  async function startStore(id: string, databaseUrl: string): Promise<TestService> {
    const store = await startService({
      DATABASE_URL: databaseUrl,
      MDP_FB_REDIS_SUBSCRIBE: 'true',
      ...storeSettings(id, redis.url, HEARTBEAT_MS),
    });
    endings.push(() => store.stop());
    return store;
  }

  const heardOf = (id: string) => listener.heard.filter((event) => event.id === id);
  const scales = () => Promise.all([scaleOf(first), scaleOf(second)]);

  /** Stops the first store's database and fills its queue. */
  async function overrunFirst() {
    await postgres.stop();
    const answered = await overrun(first);
    for (const store of [first, second]) {
      await eventually('the provider is paused', async () => (await scaleOf(store)) === 0);
    }
    return answered;
  }

  it('hold the shared provider at the hard scale until the one at hard has recovered', async () => {
    await expect(scales()).resolves.toEqual([1, 1]);
    const { port } = new URL(await postgres.start());
    const answered = await overrunFirst();
    await expect(levelOf(second)).resolves.toBe('ok');
    const refused = await postBars(second, bars(1));
    expect([refused.status, refused.json.code]).toEqual([429, 'rate-limited']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);

    // Bars of a provider that is not limited let the second say soft and ok. It releases nobody.
    expect((await postBars(second, bars(SOFT_ROWS, 'unlimited'))).status).toBe(200);
    await eventually('the second says ok', () => heardOf('second').at(-1)?.level === 'ok');
    const end = performance.now() + 4 * HEARTBEAT_MS;
    while (performance.now() < end) {
      expect(await scales()).toEqual([0, 0]);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }

    postgres = serverOn(Number(port));
    await postgres.start();
    await eventually('the provider is released', async () => (await scaleOf(second)) === 1);
    await expect(levelOf(first)).resolves.toBe('ok');
    await expect(scales()).resolves.toEqual([1, 1]);
    await answered();
    expect((await postBars(second, bars(1))).status).toBe(200);
  });

  it('forget the level of one that was killed at hard three heartbeats after its last word', async () => {
    const answered = await overrunFirst();
    const before = heardOf('first').length;
    await eventually('it repeats itself', () => heardOf('first').length > before + 2);
    await expect(scaleOf(second)).resolves.toBe(0);

    await first.kill();
    await answered();
    await eventually('it is forgotten', async () => (await scaleOf(second)) === 1);
    const silence = performance.now() - (heardOf('first').at(-1)?.at ?? NaN);
    expect(silence).toBeGreaterThan(2.5 * HEARTBEAT_MS);
    expect(silence).toBeLessThan(4 * HEARTBEAT_MS);
    expect(heardOf('first').at(-1)).toMatchObject({ level: 'hard', reason: 'heartbeat' });
    expect((await postBars(second, bars(1))).status).toBe(200);
  });
});
