import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { EmbeddedPostgres } from '../../src/database/embedded/index.js';
import { eventually } from '../support/eventually.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';
import { startService, type TestService } from '../support/service.js';
import { follow } from './followed.stream.js';
import { bars, levelOf, scaleOf } from './stores.js';

let clusterDirectory: string;
let dataDirectory: string;
let postgres: EmbeddedPostgres;
let url: string;
let store: TestService;
/** What a failed start leaves running would keep Jest from ending. */
const endings: (() => unknown)[] = [];

const serverOn = (port: number) =>
  new EmbeddedPostgres({ directory: clusterDirectory, log: () => undefined, preferredPort: port });
const startStore = () =>
  startService({
    DATABASE_URL: url,
    MDS_DATA_DIR: dataDirectory,
    MDS_COORDINATOR_CAPACITY: '1000',
    MDS_CB_HALF_OPEN_AFTER_SEC: '0.5',
    // Longer than the tests: what is told is told without it.
    MDS_FB_HEARTBEAT_SEC: '600',
    MDP_RATE_PROVIDERS: 'load:1000000:1000000',
    MDP_FB_PROVIDER_NAME: '*',
  });
const post = (rows: number) => store.post(bars(rows), undefined, '?ack=durable');

describe('a store whose database goes away', () => {
  beforeAll(async () => {
    clusterDirectory = await makeOpenDirectory();
    endings.push(() => removeDatabase(clusterDirectory));
    dataDirectory = await mkdtemp(join(tmpdir(), 'mds-away-'));
    endings.push(() => rm(dataDirectory, { recursive: true, force: true }));
    postgres = serverOn(0);
    endings.push(() => postgres.stop());
    url = await postgres.start();
    store = await startStore();
    endings.push(() => store.stop());
  });

  afterAll(async () => {
    for (const end of endings.reverse()) await end();
  });

  it('is soft for as long as its circuit is not closed, takes bars all the while, and says why', async () => {
    const feedback = await follow(store, 'feedback');
    await postgres.stop();
    expect((await post(1)).status).toBe(202);
    await eventually('the provider is slowed', async () => (await scaleOf(store)) === 0.5);
    const taken = await post(1);
    // The answer, its header, the coordinator and the latest event say the same.
    const latest = (await (await store.fetch('/v1/feedback')).json()) as { events: { level: string }[] };
    expect([
      taken.status,
      taken.headers.get('x-backpressure'),
      (taken.json['queue'] as { level: string }).level,
      await levelOf(store),
      latest.events.map(({ level }) => level),
    ]).toEqual([202, 'soft', 'soft', 'soft', ['soft']]);

    postgres = serverOn(Number(new URL(url).port));
    await postgres.start();
    await eventually('the provider is released', async () => (await scaleOf(store)) === 1);
    expect(await levelOf(store)).toBe('ok');
    await eventually('it is told', () => feedback.events.length >= 2);
    expect(feedback.events.map(({ level, reason }) => [level, reason])).toEqual([
      ['soft', 'circuit_open'],
      ['ok', 'circuit_closed'],
    ]);
    feedback.stop();
  });

  it('holds its producers from the start when it was killed with too long a spool', async () => {
    await postgres.stop();
    for (let posts = 0; posts < 8; posts += 1) expect((await post(100)).status).toBe(202);
    await expect(levelOf(store)).resolves.toBe('hard');
    await store.kill();
    store = await startStore();
    await eventually('the provider is paused', async () => (await scaleOf(store)) === 0);
    const refused = await post(1);
    expect([refused.status, refused.json.code]).toEqual([429, 'rate-limited']);

    postgres = serverOn(Number(new URL(url).port));
    await postgres.start();
    await eventually('the provider is released', async () => (await scaleOf(store)) === 1);
    expect((await post(1)).status).toBe(202);
  });
});
