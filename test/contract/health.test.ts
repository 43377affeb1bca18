import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { SERVICE, VERSION } from '../../src/config/version.js';
import { EmbeddedPostgres } from '../../src/database/embedded/index.js';
import { coreSchema, refusalsBy, samplesOf } from '../support/core.schemas.js';
import { eventually } from '../support/eventually.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';
import { startService, TOKENS, type TestService } from '../support/service.js';
import { readExposition } from './exposition.js';

interface Health {
  readonly state: string;
  readonly components: { name: string; state: string; details: Record<string, string> }[];
  readonly ok?: boolean;
  readonly ready?: boolean;
}

const refusals = refusalsBy(coreSchema('telemetry.HealthStatus'));
let service: TestService;

const OPERATOR = { authorization: `Bearer ${TOKENS.read}` };

/** Asks a probe: as an orchestrator does, without a token, or as an operator. */
async function probe(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: Health }> {
  const answer = await fetch(`${service.url}${path}`, { headers });
  const body = (await answer.json()) as Health;
  expect(refusals(body)).toEqual([]);
  return { status: answer.status, headers: answer.headers, body };
}

const text = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(`${service.url}${path}`, { headers });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
};

const storeUp = async () => {
  const start = performance.now();
  const answer = await fetch(`${service.url}/metrics`);
  const up = readExposition(await answer.text()).value('store_up');
  return { status: answer.status, up, ms: performance.now() - start };
};

it('the copied schema takes what Core says it takes', () => {
  const samples = samplesOf('HealthStatus.valid.json');
  expect(samples).not.toHaveLength(0);
  expect(samples.flatMap(refusals)).toEqual([]);
  expect(refusals({ service: SERVICE, state: 'fine', version: VERSION, ts: 1 })).toEqual(['state']);
});

describe('the probes', () => {
  let directory: string;
  let postgres: EmbeddedPostgres;

  beforeAll(async () => {
    directory = await makeOpenDirectory();
    postgres = new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: 0 });
    service = await startService({ DATABASE_URL: await postgres.start() });
  });

  afterAll(async () => {
    await service.stop();
    await postgres.stop();
    await removeDatabase(directory);
  });

  describe('while all is well', () => {
    it('/healthz and /health answer a Core HealthStatus and the older `ok`', async () => {
      for (const path of ['/healthz', '/health']) {
        const { status, body } = await probe(path);
        expect(status).toBe(200);
        expect(body).toMatchObject({ service: SERVICE, version: VERSION, state: 'healthy', ok: true });
        const names = body.components.map(({ name, state }) => `${name} ${state}`).sort();
        expect(names).toEqual([
          'clock healthy',
          'coordinator healthy',
          'database healthy',
          'feedback_bus healthy',
          'prometheus healthy',
          'rate_control healthy',
          'spool healthy',
        ]);
      }
    });

    it('their time is now, in seconds', async () => {
      const { body } = await probe('/healthz');
      const { ts } = body as unknown as { ts: number };
      expect(Math.abs(ts - Date.now() / 1000)).toBeLessThan(5);
    });

    it('/livez answers a Core HealthStatus without asking a component', async () => {
      const { status, body } = await probe('/livez');
      expect(status).toBe(200);
      expect(body).toMatchObject({ state: 'healthy', components: [], ok: true });
    });

    it('/readyz answers a Core HealthStatus and `ready`', async () => {
      const { status, body } = await probe('/readyz');
      expect(status).toBe(200);
      expect(body).toMatchObject({ state: 'healthy', ready: true });
    });

    it('/readyz?verbose answers a line per component', async () => {
      await expect(text('/readyz?verbose')).resolves.toEqual({
        status: 200,
        type: 'text/plain; charset=utf-8',
        text: `${['database', 'prometheus', 'coordinator', 'spool', 'clock', 'feedback_bus', 'rate_control'].map((name) => `[+]${name} ok\n`).join('')}readyz check passed\n`,
      });
    });

    it('store_up is 1', async () => {
      await expect(storeUp()).resolves.toMatchObject({ status: 200, up: 1 });
    });
  });

  describe('while the database is away', () => {
    beforeAll(async () => {
      await postgres.stop();
      await eventually('/readyz says 503', async () => (await probe('/readyz')).status === 503);
    });

    it('/readyz answers 503, names the component and says why and when to ask again', async () => {
      const { status, headers, body } = await probe('/readyz', OPERATOR);
      expect(status).toBe(503);
      expect(headers.get('retry-after')).toBe('1');
      expect(body).toMatchObject({ ready: false, state: 'degraded' });
      const failing = body.components.filter(({ state }) => state === 'unhealthy');
      expect(failing.map(({ name }) => name)).toEqual(['database']);
      expect(failing[0]?.details['message']).toMatch(/ECONNREFUSED|terminat|shutting down|no answer/);
    });

    it('/readyz?verbose marks the failing component', async () => {
      const answer = await text('/readyz?verbose', OPERATOR);
      expect(answer.status).toBe(503);
      expect(answer.text).toMatch(/^\[-\]database failed: .+$/m);
      expect(answer.text).toMatch(/readyz check failed\n$/);
    });

    it.each([{}, { authorization: 'Bearer wrong' }, { authorization: 'Basic eDp5' }])(
      'who has no known token is told names and states, and no more: %j',
      async (headers) => {
        for (const path of ['/readyz', '/healthz', '/health']) {
          const { status, body } = await probe(path, headers);
          const known = (await probe(path, OPERATOR)).body;
          expect([path, status]).toEqual([path, path === '/readyz' ? 503 : 200]);
          const bare = known.components.map((one) => ({ ...one, details: {} }));
          expect(body).toEqual({ ...known, components: bare, ts: expect.any(Number) });
        }
        const lines = (await text('/readyz?verbose', headers)).text;
        expect(lines).toMatch(/^\[-\]database failed\n/);
        expect(lines).not.toMatch(/:|\d/);
      },
    );

    it('/healthz stays 200 and is degraded, /livez is healthy', async () => {
      const { status, body } = await probe('/healthz');
      expect(status).toBe(200);
      expect(body).toMatchObject({ state: 'degraded', ok: true });
      await expect(probe('/livez')).resolves.toMatchObject({ status: 200, body: { state: 'healthy' } });
    });

    it('store_up is 0', async () => {
      await expect(storeUp()).resolves.toMatchObject({ status: 200, up: 0 });
    });
  });
});

describe('while the database takes connections and never says a word', () => {
  let mute: Server;
  const sockets = new Set<Socket>();

  beforeAll(async () => {
    mute = createServer((socket) => sockets.add(socket));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as AddressInfo;
    service = await startService({
      DATABASE_URL: `postgres://nobody@127.0.0.1:${port}/nothing`,
      MDS_SHUTDOWN_TIMEOUT_SEC: '5',
    });
  });

  afterAll(async () => {
    await service.stop();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  });

  it('no probe and no scrape hangs', async () => {
    const start = performance.now();
    const [ready, health, metrics] = await Promise.all([probe('/readyz'), probe('/healthz'), storeUp()]);
    // Each gives up after 1 s; on a busy machine it takes a while to say so.
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(ready.status).toBe(503);
    expect(health).toMatchObject({ status: 200, body: { state: 'degraded' } });
    expect(metrics).toMatchObject({ status: 200, up: 0 });
  });
});
