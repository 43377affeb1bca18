import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';

import { EmbeddedPostgres } from '../../src/database/embedded/index.js';
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
  toldBy,
} from './stores.js';

const HEARTBEAT_MS = 2000;
const POSTS = 20;
const ROUNDS = 5;
/** Times as long, with room for noise: by itself it is about 1. */
const MOST_SLOWER = 3;

let directory: string;
let postgres: EmbeddedPostgres;
let redis: TestRedis;
let listener: Listener;
let store: TestService;

const serverOn = (port: number) =>
  new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: port });
/** What a failed start leaves running would keep Jest from ending. */
const endings: (() => Promise<unknown>)[] = [];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describeWith('redis-server', 'while Redis is away', () => {
  beforeAll(async () => {
    directory = await makeOpenDirectory();
    endings.push(() => removeDatabase(directory));
    postgres = serverOn(0);
    endings.push(() => postgres.stop());
    const url = await postgres.start();
    redis = await startRedis();
    endings.push(() => redis.kill());
    listener = await listen(redis.url);
    endings.push(() => listener.close());
    store = await startService({ DATABASE_URL: url, ...storeSettings('first', redis.url, HEARTBEAT_MS) });
    endings.push(() => store.stop());
  });

  afterEach(async () => {
    redis.process.kill('SIGCONT');
    await redis.start();
  });

  afterAll(async () => {
    for (const end of endings.reverse()) await end();
  });

  it('a level that became ok is told within two heartbeats of the return of a Redis killed at hard', async () => {
    const { heard } = listener;
    await eventually('Redis is found', async () => (await redisStateOf(store)) === 'healthy');
    const { port } = new URL(await postgres.start());
    await postgres.stop();
    const answered = await overrun(store);
    await eventually('hard is heard', () => heard.at(-1)?.level === 'hard');

    await redis.kill();
    await eventually('the outage is shown', async () => (await redisStateOf(store)) === 'degraded');
    postgres = serverOn(Number(port));
    await postgres.start();
    await eventually('the level is ok', async () => (await levelOf(store)) === 'ok');
    await answered();
    // Long enough for the heartbeat after ok to be lost too.
    await pause(1.5 * HEARTBEAT_MS);
    expect(heard.at(-1)?.level).toBe('hard');
    await expect(scaleOf(store)).resolves.toBe(1);

    await redis.start();
    const back = performance.now();
    await eventually('ok is heard', () => heard.at(-1)?.level === 'ok');
    const told = heard.find(({ at, level }) => at > back && level === 'ok');
    expect((told?.at ?? Infinity) - back).toBeLessThan(2 * HEARTBEAT_MS);
    await eventually('Redis is found', async () => (await redisStateOf(store)) === 'healthy');
    // Once that it is away and once that it is back, however often it was tried meanwhile.
    const said = store.output().match(/cannot be used to publish feedback: [a-z ]*/g);
    expect(said).toEqual([
      expect.not.stringContaining('works again'),
      expect.stringContaining('works again'),
    ]);
  });

  it('bars are taken as fast as before, though each post has a level to tell', async () => {
    const { heard } = listener;
    const postAll = async () => {
      const bodies = Array.from({ length: POSTS }, () => bars(SOFT_ROWS));
      const start = performance.now();
      for (const body of bodies) expect((await postBars(store, body)).status).toBe(200);
      return performance.now() - start;
    };
    const times = { up: [] as number[], killed: [] as number[], silent: [] as number[] };
    await postAll();
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await toldBy(store);
      times.up.push(await postAll());
      await eventually('they are all told', async () => (await toldBy(store)) >= before + 2 * POSTS);
      redis.process.kill('SIGSTOP');
      times.silent.push(await postAll());
      redis.process.kill('SIGCONT');
      await redis.kill();
      const silence = heard.length;
      times.killed.push(await postAll());
      await redis.start();
      await eventually('the level is told again', () => heard.length > silence);
    }
    expect(median(times.killed) / median(times.up)).toBeLessThan(MOST_SLOWER);
    expect(median(times.silent) / median(times.up)).toBeLessThan(MOST_SLOWER);
  });
});

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
