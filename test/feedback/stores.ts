import { createClient } from 'redis';

import { readExposition } from '../contract/exposition.js';
import { eventually } from '../support/eventually.js';
import type { Answer, TestService } from '../support/service.js';

/** Rows that the queue of a store under test holds; by default it is `soft` above 500 and `hard` from 800 on. */
const CAPACITY = 1000;

/** Rows that make such a queue `soft` until they are committed. */
export const SOFT_ROWS = 600;

/** The provider that stores under test share. */
const PROVIDER = 'load';

/** Settings of a store that is overrun by few rows, for as long as its database is away. */
export function storeSettings(id: string, redisUrl: string, heartbeatMs: number): Record<string, string> {
  return {
    MDS_COORDINATOR_ID: id,
    MDS_COORDINATOR_CAPACITY: String(CAPACITY),
    // The queue is to fill up: the circuit would refuse bars before.
    MDS_CB_FAILURE_THRESHOLD: '1000',
    MDS_FB_HEARTBEAT_SEC: String(heartbeatMs / 1000),
    MDS_FB_ENABLE_REDIS: 'true',
    REDIS_URL: redisUrl,
    MDP_RATE_PROVIDERS: `${PROVIDER}:1000000:1000000`,
    MDP_FB_PROVIDER_NAME: PROVIDER,
  };
}

let minutes = 0;

/** That many bars as NDJSON, never the same bar twice. */
export function bars(rows: number, provider = PROVIDER): string {
  return Array.from({ length: rows }, () => {
    minutes += 1;
    return JSON.stringify({
      ...{ provider, symbol: 'LOOP', interval: '1m', ts: 1_704_153_600 + minutes * 60 },
      ...{ open: 1, high: 1, low: 1, close: 1, volume: 1 },
    });
  }).join('\n');
}

/** Posts bars and waits for their commit. */
export function postBars(store: TestService, body: string): Promise<Answer> {
  return store.post(body, 'application/x-ndjson', '?ack=stored');
}

/** The level of the store's own queue. */
export async function levelOf(store: TestService): Promise<unknown> {
  const { level } = (await (await store.fetch('/v1/coordinator')).json()) as { level: string };
  return level;
}

/** The share of its full rate that the store allows the shared provider. */
export async function scaleOf(store: TestService): Promise<number | undefined> {
  const answer = await store.fetch('/v1/rate-control/providers');
  const { providers } = (await answer.json()) as { providers: { provider: string; scale: number }[] };
  return providers.find(({ provider }) => provider === PROVIDER)?.scale;
}

/** Events that the store has told so far, its own and those of others. */
export async function toldBy(store: TestService): Promise<number> {
  const scrape = await (await store.fetch('/metrics')).text();
  return readExposition(scrape).sum('mds_feedback_events_total');
}

/** How the store finds its Redis. */
export async function redisStateOf(store: TestService): Promise<string | undefined> {
  const { components } = (await (await store.fetch('/healthz')).json()) as {
    components: { name: string; state: string }[];
  };
  return components.find(({ name }) => name === 'redis')?.state;
}

/**
 * Posts to a store whose database is away until its level is `hard`.
 * @returns resolves when every post was answered or cut off
 */
export async function overrun(store: TestService): Promise<() => Promise<unknown>> {
  const posts = Array.from({ length: (0.8 * CAPACITY) / 100 }, () =>
    postBars(store, bars(100)).catch(() => undefined),
  );
  await eventually('the level is hard', async () => (await levelOf(store)) === 'hard');
  return () => Promise.all(posts);
}

/** One event as a subscriber heard it. */
export interface Heard {
  /** Of performance.now. */
  readonly at: number;
  readonly id: string;
  readonly level: string;
  readonly reason: string;
}

/** A subscriber of the test's own. */
export interface Listener {
  readonly heard: readonly Heard[];
  close(): Promise<void>;
}

/** Subscribes to the events on a Redis; comes back by itself, and soon, when Redis does. */
export async function listen(url: string): Promise<Listener> {
  const heard: Heard[] = [];
  const client = createClient({ url, socket: { reconnectStrategy: 50 } });
  client.on('error', () => undefined);
  await client.connect();
  await client.subscribe('feedback', (message) => {
    const { coordinator_id: id, level, reason } = JSON.parse(message) as Record<string, string>;
    heard.push({ at: performance.now(), id, level, reason } as Heard);
  });
  return {
    heard,
    close: () => {
      client.destroy();
      return Promise.resolve();
    },
  };
}
