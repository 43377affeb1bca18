import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { jsonRow, secondsAfter } from '../bars/decode.samples.js';
import { eventually } from '../support/eventually.js';
import { post, RawClient } from '../support/raw.client.js';
import { startService, type TestService, TOKENS } from '../support/service.js';
import { ServedDatabase, TYPES } from './api.samples.js';

const served = new ServedDatabase();

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Problem {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

async function problem(path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Problem> {
  const signal = AbortSignal.timeout(10_000);
  const answer = await served.service.fetch(path, { method, headers, signal });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Problem['body'] };
}

describe('a refusal', () => {
  it.each([
    ['/nothing/here', 'GET', 404, 'not-found'],
    ['/v1/bars', 'DELETE', 405, 'method-not-allowed'],
    ['/v1/bars?limit=0', 'GET', 400, 'invalid-parameter'],
    ['/v1/bars?x=y&token=secret', 'POST', 400, 'invalid-parameter'],
    ['/v1/bars', 'POST', 422, 'no-bars'],
    ['/v1/bars/%zz', 'GET', 400, 'bad-request'],
  ])('of %s %s is a problem document', async (path, method, status, code) => {
    const { headers, body, ...answer } = await problem(path, method, { 'x-request-id': 'conventions-1' });
    expect(answer.status).toBe(status);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(body).toMatchObject({
      type: `urn:market-data-store:problem:${code}`,
      title: expect.stringMatching(/^[A-Z][^.]+$/),
      status,
      detail: expect.stringMatching(/^\S[^\n]{10,}$/),
      instance: path.split('?')[0],
      code,
      request_id: 'conventions-1',
    });
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it('of a token is one too', async () => {
    const { status, headers, body } = await problem('/v1/bars', 'GET', { authorization: 'Bearer x' });
    expect([status, body['code'], headers.get('www-authenticate')]).toEqual([401, 'unauthorized', 'Bearer']);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });
});

describe('an address that is not known', () => {
  it.each([
    '/nothing',
    '/v1',
    '/v1/bars/nothing',
    '/v1//bars',
    '/V1/BARS',
    '/v1/bars/../../etc/passwd',
    '/.env',
  ])('is answered 404: %s', async (path) => {
    const { status, body } = await problem(path);
    expect([status, body['code']]).toEqual([404, 'not-found']);
  });

  it('is answered 404 for every method', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      expect((await problem('/nothing', method)).status).toBe(404);
    }
  });
});

describe('a method that an address does not take', () => {
  it.each([
    ['/v1/bars', 'PUT', 'GET, HEAD, POST'],
    ['/v1/bars', 'DELETE', 'GET, HEAD, POST'],
    ['/v1/bars', 'PATCH', 'GET, HEAD, POST'],
    ['/v1/bars/latest', 'POST', 'GET, HEAD'],
    ['/v1/series', 'POST', 'GET, HEAD'],
    ['/v1/coordinator', 'PUT', 'GET, HEAD'],
    ['/livez', 'POST', 'GET, HEAD'],
    ['/metrics', 'DELETE', 'GET, HEAD'],
  ])('is answered 405 with what it does take: %s %s', async (path, method, allow) => {
    const { status, headers, body } = await problem(path, method);
    expect([status, body['code'], headers.get('allow')]).toEqual([405, 'method-not-allowed', allow]);
  });

  it('is answered 405 also with a body of any type', async () => {
    const answer = await served.service.fetch('/v1/bars', {
      method: 'PUT',
      headers: { 'content-type': 'text/plain' },
      body: 'x',
    });
    expect([answer.status, await answer.json()]).toMatchObject([405, { code: 'method-not-allowed' }]);
  });

  it('does not include HEAD where GET is taken', async () => {
    const answer = await served.service.fetch('/v1/bars', { method: 'HEAD' });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  });
});

/** Every operation that needs a token. */
const SECURED: readonly [string, string][] = [
  ['GET', '/v1/bars'],
  ['POST', '/v1/bars'],
  ['GET', '/v1/bars/latest'],
  ['GET', '/v1/series'],
  ['GET', '/v1/coordinator'],
  ['GET', '/v1/dlq'],
  ['GET', '/v1/dlq/1-1-0'],
  ['DELETE', '/v1/dlq/1-1-0'],
  ['POST', '/v1/dlq/1-1-0/replay'],
  ['POST', '/v1/dlq/replay'],
  ['GET', '/v1/feedback'],
  ['POST', '/v1/feedback'],
  ['GET', '/v1/feedback/stream'],
  ['GET', '/v1/rate-control/providers'],
  ['PUT', '/v1/rate-control/providers/ibkr'],
  ['POST', '/v1/rate-control/providers/ibkr/acquire'],
  ['POST', '/v1/rate-control/providers/ibkr/cooldown'],
  ['POST', '/v1/rate-control/adjustments'],
];

describe('a query parameter that an operation does not have', () => {
  it('is looked for in every operation that needs a token', async () => {
    const document = (await (await served.service.fetch('/openapi.json')).json()) as {
      paths: Record<string, Record<string, { security: object[] }>>;
    };
    const secured = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, { security }]) => security.length > 0 && !security.some((one) => !('bearer' in one)))
        .map(
          ([method]) => `${method.toUpperCase()} ${path.replace('{id}', '1-1-0').replace('{name}', 'ibkr')}`,
        ),
    );
    expect(secured.sort()).toEqual(SECURED.map((one) => one.join(' ')).sort());
  });

  it.each(SECURED)('is refused by name: %s %s', async (method, path) => {
    const { status, body } = await problem(`${path}?sybmols=A&__proto__=1`, method);
    expect([status, body['code']]).toEqual([400, 'invalid-parameter']);
    const errors = body['errors'] as { parameter: string }[];
    expect(errors).toContainEqual({ parameter: '__proto__', detail: 'is not a parameter here' });
    expect((await problem(`${path}?sybmols=A`, method)).body['errors']).toEqual([
      { parameter: 'sybmols', detail: 'is not a parameter here' },
    ]);
  });

  it('is told to nobody without a token, or with one that may not ask', async () => {
    const codeFor = async (token: string): Promise<unknown> =>
      (await problem('/v1/dlq/replay?x=1', 'POST', { authorization: `Bearer ${token}` })).body['code'];
    expect([await codeFor('nobody'), await codeFor(TOKENS.read)]).toEqual(['unauthorized', 'forbidden']);
  });

  it('is refused for bars also on a connection that began without one', async () => {
    const client = await RawClient.to(served.service.url);
    const headers = { authorization: `Bearer ${TOKENS.ingest}`, 'content-type': TYPES.json };
    for (const [path, status] of [
      ['/v1/bars', 202],
      ['/v1/bars?typo=1', 400],
    ] as const) {
      await client.send(post(path, headers, jsonRow({ symbol: '"TYPO"' })));
      expect((await client.answers())[0]).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
    client.socket.destroy();
  });

  it.each([
    '/livez',
    '/readyz',
    '/healthz',
    '/health',
    '/metrics',
    '/contracts/telemetry.BackpressureLevel.schema.json',
    '/openapi.json',
    '/docs',
  ])('is passed over where probes and browsers add their own: %s', async (path) => {
    expect((await served.service.fetch(`${path}?name[]=up&_=1`)).status).toBe(200);
  });
});

describe('X-Request-Id', () => {
  const idOf = async (sent: string | undefined): Promise<string> => {
    const headers = sent === undefined ? {} : { 'x-request-id': sent };
    return (await served.service.fetch('/livez', { headers })).headers.get('x-request-id') ?? '';
  };

  it.each(['a', 'b7c1:trace/1', '!~', 'x'.repeat(128)])('is echoed: %s', async (id) => {
    expect(await idOf(id)).toBe(id);
  });

  it.each([undefined, '', 'x'.repeat(129), 'a b', 'a\tb', 'é', 'a, b'])('is replaced: %s', async (id) => {
    const [first, second] = [await idOf(id), await idOf(id)];
    expect(first).toMatch(UUID);
    expect(second).not.toBe(first);
  });

  it('is on every answer, and the same in header and problem', async () => {
    for (const path of [
      '/v1/bars',
      '/v1/bars?format=csv',
      '/nothing',
      '/metrics',
      '/docs',
      '/openapi.json',
    ]) {
      const answer = await served.service.fetch(path, { headers: { 'x-request-id': 'q' } });
      await answer.arrayBuffer();
      expect([path, answer.headers.get('x-request-id')]).toEqual([path, 'q']);
    }
    const { headers, body } = await problem('/nothing');
    expect(body['request_id']).toBe(headers.get('x-request-id'));
  });
});

describe('an answer to bars', () => {
  it('tells the level of the queue and what became of them', async () => {
    const { status, headers, json } = await served.service.post(jsonRow(), TYPES.json);
    expect([status, headers.get('x-backpressure')]).toEqual([200, 'ok']);
    expect(json).toEqual({
      batch_id: expect.stringMatching(UUID),
      accepted: 1,
      rejected: 0,
      errors: [],
      errors_truncated: false,
      ignored_fields: [],
      ignored_fields_truncated: false,
      queue: { size: 0, capacity: 500_000, utilization: 0, level: 'ok' },
      inserted: 1,
      updated: 0,
      unchanged: 0,
      superseded: 0,
    });
  });
});

describe('a service whose database accepts connections and never says a word', () => {
  let silent: Server;
  let service: TestService;
  const connections = new Set<Socket>();

  beforeAll(async () => {
    silent = createServer((socket) => {
      connections.add(socket);
      socket.on('error', () => undefined).on('close', () => connections.delete(socket));
    });
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    service = await startService({
      DATABASE_URL: `postgres://user:password@127.0.0.1:${port}/none`,
      MDS_COORDINATOR_CAPACITY: '10',
      MDS_SHUTDOWN_TIMEOUT_SEC: '10',
    });
  });
  afterAll(async () => {
    silent.close();
    for (const socket of connections) socket.destroy();
    await service.stop();
  });

  const eight = Array.from({ length: 8 }, (_, at) => jsonRow({ ts: secondsAfter(at) })).join('\n');

  it('starts, and says when to come back with each refusal', async () => {
    const reading = await service.fetch('/v1/bars');
    expect(reading.status).toBe(503);
    expect(Number(reading.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await reading.json()).toMatchObject({ code: 'database-unavailable' });

    const ready = await service.fetch('/readyz');
    expect([ready.status, ready.headers.get('retry-after')]).toEqual([503, '1']);

    // The disk is there: bars are taken and kept, and their senders told that they are not written.
    const waiting = service.post(eight).catch(() => undefined);
    const taken = await service.post(eight, undefined, '?ack=durable');
    expect([taken.status, taken.headers.get('x-backpressure')]).toEqual([202, 'hard']);
    expect(taken.json).toMatchObject({ queue: { size: 16, capacity: 10, utilization: 1.6, level: 'hard' } });

    service.process.kill('SIGTERM');
    await eventually('it drains', async () => {
      const { status } = await service.post(eight, undefined, '?ack=durable');
      return status === 503;
    });
    const draining = await service.post(eight);
    expect([draining.status, draining.json.code]).toEqual([503, 'draining']);
    expect(draining.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    expect(draining.headers.get('connection')).toBe('close');

    const answered = await waiting;
    if (answered !== undefined) {
      expect([answered.status, answered.json.code]).toEqual([503, 'commit-unconfirmed']);
      expect(answered.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    }
    expect(service.output()).not.toContain('password');
  });
});
