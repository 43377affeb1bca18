import { afterEach, expect, it } from '@jest/globals';

import { bar, write } from '../api/api.samples.js';
import { createDatabase } from '../support/database.js';
import { RawClient } from '../support/raw.client.js';
import { startService, type TestService, TOKENS } from '../support/service.js';

const releasers: (() => unknown)[] = [];
afterEach(async () => {
  for (let release = releasers.pop(); release !== undefined; release = releasers.pop()) await release();
});

/** A service that may have so many files open. */
async function startLimited(openFiles: number): Promise<TestService> {
  const database = await createDatabase();
  releasers.push(() => database.drop());
  const service = await startService({ DATABASE_URL: database.url, DB_POOL_MAX: '10' }, openFiles);
  releasers.push(() => service.stop());
  return service;
}

async function connect(service: TestService): Promise<RawClient> {
  const client = await RawClient.to(service.url);
  releasers.push(() => client.socket.destroy());
  return client;
}

/** Status and code of an answer. */
async function asked(answer: Promise<Response>): Promise<[number, unknown]> {
  const { status, ...rest } = await answer.then(async (it) => ({
    status: it.status,
    json: (await it.json()) as { code?: string },
  }));
  return [status, rest.json.code];
}

it('B7: 1,400 idle connections and 1,200 open files leave room for those who ask', async () => {
  const service = await startLimited(1_200);
  const idle: RawClient[] = [];
  for (let i = 0; i < 1_400; i += 1) {
    const client = await connect(service);
    idle.push(client);
    // As an attacker would who looks as if he were asking something.
    if (i % 3 === 1) client.socket.write('GET /livez HTTP/1.1\r\nHo');
    if (i % 3 === 2) client.socket.write('POST /v1/bars HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n');
  }
  expect(await asked(service.fetch('/livez'))).toEqual([200, undefined]);
  expect((await service.post(write([bar()], 'ndjson'))).status).toBe(200);
  expect((await service.post(write([bar()], 'ndjson'), undefined, '?ack=durable')).status).toBe(202);
  expect(await asked(service.fetch('/v1/bars?symbols=SPY'))).toEqual([200, undefined]);
  await idle[0]?.ended();
  expect(service.output()).toMatch(/WARN.*1062 clients may be connected at once/);
  expect(service.output()).not.toContain('EMFILE');
});

it('B7: clients without a token that do not read the page at /docs keep nobody out', async () => {
  const service = await startLimited(1_200);
  for (let i = 0; i < 1_200; i += 1) {
    const client = await connect(service);
    client.socket.pause();
    // More than the kernel takes for them.
    client.socket.write('GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(8));
  }
  expect(await asked(service.fetch('/livez'))).toEqual([200, undefined]);
  expect((await service.post(write([bar()], 'ndjson'))).status).toBe(200);
  expect(await asked(service.fetch('/v1/bars?symbols=SPY'))).toEqual([200, undefined]);
  expect(service.output()).not.toContain('EMFILE');
});

it('B7: when all connections are busy, a request is refused and a probe answered', async () => {
  const service = await startLimited(512);
  const busy: RawClient[] = [];
  for (let i = 0; i < 350; i += 1) {
    const client = await connect(service);
    busy.push(client);
    await client.send(
      `POST /v1/bars HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS.ingest}\r\nContent-Type: text/csv\r\nContent-Length: 5000\r\n\r\n`,
    );
  }
  expect(await asked(service.fetch('/v1/series'))).toEqual([503, 'too-many-connections']);
  expect((await service.post(write([bar()], 'ndjson'))).json.code).toBe('too-many-connections');
  expect(await asked(service.fetch('/livez'))).toEqual([200, undefined]);
  expect(await asked(service.fetch('/readyz'))).toEqual([200, undefined]);
  for (let i = 0; i < 200; i += 1) await connect(service);
  for (const client of busy) expect([client.socket.destroyed, client.rest()]).toEqual([false, '']);
  busy.pop()?.socket.destroy();
  expect(await asked(service.fetch('/v1/series'))).toEqual([200, undefined]);
});

it('B7: readers of the stream of events get half of the connections', async () => {
  const service = await startLimited(512);
  for (let i = 0; i < 187; i += 1) {
    const client = await connect(service);
    client.socket.write(
      `GET /v1/feedback/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS.read}\r\n\r\n`,
    );
    while (!client.has('retry: 1000')) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(await asked(service.fetch('/v1/feedback/stream'))).toEqual([503, 'too-many-readers']);
  expect(await asked(service.fetch('/v1/feedback/stream'))).toEqual([503, 'too-many-readers']);
  // One line in a minute, and the code once in it.
  expect(service.output().match(/too-many-readers/g)).toHaveLength(1);
  expect(await asked(service.fetch('/v1/series'))).toEqual([200, undefined]);
});
