import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { afterAll, afterEach, describe, expect, it } from '@jest/globals';

import { bar, ServedDatabase, TYPES, write } from '../api/api.samples.js';
import { post, RawClient } from '../support/raw.client.js';
import { eventually } from '../support/eventually.js';
import { TOKENS } from '../support/service.js';

const KIB = 1024;
const MIB = 1024 * KIB;

const served = new ServedDatabase();
const clients: RawClient[] = [];
afterEach(() => {
  for (const { socket } of clients.splice(0)) socket.destroy();
});

/** Announces a body of 64 MiB, sends a piece of it, and stays silent. */
async function announce(
  target: string,
  token: string | undefined,
  length = 'Content-Length: 67108864',
): Promise<RawClient> {
  const client = await RawClient.to(served.service.url);
  clients.push(client);
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  await client.send(
    `${target} HTTP/1.1\r\nHost: x\r\n${authorization}Content-Type: application/json\r\n${length}\r\n\r\n`,
  );
  return client;
}

const statusOf = async (client: RawClient) => Number((await client.answers())[0]?.slice(9, 12));

describe('B1 and B2: a body is not read before it is known who sends it and where to', () => {
  it.each(['/v1/bars', '/livez', '/nothing', '*'])(
    'OPTIONS %s without a token is answered at once',
    async (path) => {
      expect(await statusOf(await announce(`OPTIONS ${path}`, undefined))).toBe(401);
    },
  );

  it.each([
    ['POST /v1/feedback', TOKENS.read, 403],
    ['POST /v1/bars', TOKENS.read, 403],
    ['POST /v1/rate-control/adjustments', TOKENS.ingest, 403],
    ['PUT /v1/rate-control/providers/ibkr', TOKENS.ingest, 403],
    ['DELETE /v1/dlq/0123', TOKENS.ingest, 403],
    ['POST /nothing', TOKENS.read, 404],
    ['PUT /v1/bars', TOKENS.read, 405],
    ['PATCH /v1/bars', TOKENS.admin, 405],
    ['OPTIONS /v1/bars', TOKENS.read, 405],
    ['POST /v1/feedback', TOKENS.admin, 413],
    ['PUT /v1/rate-control/providers/ibkr', TOKENS.admin, 413],
  ])('%s with the token %s is answered at once with %d', async (target, token, status) => {
    expect(await statusOf(await announce(target, token))).toBe(status);
  });

  it.each([
    ['POST /v1/bars', 'nobody', 401],
    ['POST /v1/bars', TOKENS.read, 403],
    ['POST /nothing', TOKENS.read, 404],
  ])('%s with the token %s is not asked to go on, but answered with %d', async (target, token, status) => {
    const client = await announce(target, token, 'Content-Length: 67108864\r\nExpect: 100-continue');
    const [answer] = await client.answers();
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*\r\nconnection: close`, 'i'));
  });

  it('one that is wanted is asked to go on', async () => {
    const body = write([bar()], 'json');
    const length = `Content-Length: ${Buffer.byteLength(body)}\r\nExpect: 100-continue`;
    const client = await announce('POST /v1/bars', TOKENS.ingest, length);
    await eventually('it is asked to', () => client.has('HTTP/1.1 100 Continue\r\n\r\n'));
    await client.send(body);
    await eventually('it is answered', () => client.has('HTTP/1.1 202'));
  });

  it('chunks beyond 64 KiB of a document are refused as they come', async () => {
    const client = await announce('POST /v1/feedback', TOKENS.admin, 'Transfer-Encoding: chunked');
    const chunk = `8000\r\n${' '.repeat(0x8000)}\r\n`;
    await client.send(chunk);
    await client.send(chunk);
    await client.send(chunk);
    expect(await statusOf(client)).toBe(413);
  });

  it('and holds no room for what it only announces', async () => {
    for (let i = 0; i < 50; i++)
      await announce('POST /v1/bars', TOKENS.ingest, i % 2 ? 'Transfer-Encoding: chunked' : undefined);
    const bars = Array.from({ length: 500 }, (_, at) => bar({ symbol: `S${at}` }));
    for (let i = 0; i < 5; i++) {
      const { status } = await served.service.post(write(bars, 'csv'), TYPES.csv, '?ack=durable');
      expect(status).toBe(202);
    }
  });

  it('so that silent bodies of those who may not send bars keep nobody from sending them', async () => {
    for (let i = 0; i < 20; i++) {
      await announce('POST /v1/feedback', TOKENS.read);
      await announce('POST /v1/feedback', TOKENS.admin, 'Transfer-Encoding: chunked');
    }
    const bars = Array.from({ length: 500 }, (_, at) => bar({ symbol: `S${at}` }));
    const { status } = await served.service.post(write(bars, 'csv'), TYPES.csv, '?ack=durable');
    expect(status).toBe(202);
  });
});

describe('B1: bodies that go on after they were refused', () => {
  const PIECE = Buffer.alloc(64 * KIB, ' ');

  /** Sends on as fast as it is taken. */
  function pour({ socket }: RawClient): void {
    const more = (): void => {
      if (!socket.destroyed && socket.write(PIECE)) setImmediate(more);
    };
    socket.on('drain', more);
    more();
  }

  it.each([
    ['of a stranger', () => announce('POST /v1/bars', undefined)],
    ['of a token that may not send it', () => announce('POST /v1/feedback', TOKENS.read)],
    ['for a route that is not there', () => announce('PUT /nothing', TOKENS.read)],
    ['behind what is no request', () => announce('\u0001 /v1/bars', undefined)],
  ])('are taken at a pace: %s', async (_, open) => {
    const pouring = await Promise.all([1, 2, 3, 4].map(open));
    for (const client of pouring) await client.answers();
    const from = performance.now();
    pouring.forEach(pour);
    await sleep(1_500);
    const seconds = (performance.now() - from) / 1_000;
    const bytes = pouring.reduce((sum, { socket }) => sum + socket.bytesWritten, 0);
    // The kernel buffers some of each connection.
    expect(bytes / MIB).toBeLessThan(40 + 80 * seconds);
  });

  it.each([
    ['of a stranger', '/v1/bars', 'nobody', '401'],
    ['that are too large', '/v1/feedback', TOKENS.admin, '413'],
  ])('are taken whole, and the next request is answered: %s', async (_, path, token, status) => {
    const client = await RawClient.to(served.service.url);
    clients.push(client);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    await client.send(post(path, headers, ' '.repeat(24 * MIB)));
    await client.send('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    expect((await client.answers(2)).map((answer) => answer.slice(9, 12))).toEqual([status, '200']);
  });

  it('are taken whole when they turn out to be too large', async () => {
    const client = await announce('POST /v1/feedback', TOKENS.admin, 'Transfer-Encoding: chunked');
    const chunk = `${MIB.toString(16)}\r\n${' '.repeat(MIB)}\r\n`;
    await client.send(`${chunk.repeat(24)}0\r\n\r\n`);
    await client.send('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    expect((await client.answers(2)).map((answer) => answer.slice(9, 12))).toEqual(['413', '200']);
  });
});

describe('B2: bodies that come slowly', () => {
  it('keep out those of the same token at most', async () => {
    const piece = Buffer.alloc(MIB, ' ');
    let last: RawClient | undefined;
    for (let i = 0; i < 3; i++) {
      const client = await announce('POST /v1/bars', TOKENS.ingest, 'Content-Length: 66060288');
      for (let sent = 0; sent < 62 && !client.has('HTTP/1.1'); sent++) {
        if (!client.socket.write(piece)) await once(client.socket, 'drain');
      }
      last = client;
    }
    expect(await last?.answers()).toMatchObject([expect.stringMatching(/^HTTP.1.1 429/)]);
    const line = write([bar()], 'ndjson').trimEnd();
    const body = `${line.padEnd(MIB - 1)}\n`.repeat(6);
    const postWith = (token: string) =>
      served.service.post(body, TYPES.ndjson, '?ack=durable', { authorization: `Bearer ${token}` });
    expect((await postWith(TOKENS.ingest)).json.code).toBe('queue-full');
    expect((await postWith(TOKENS.admin)).status).toBe(202);
  });
});

describe('B3: compressed bodies', () => {
  it.each([
    ['line ends as NDJSON', TYPES.ndjson, '\n', ''],
    ['line ends as CSV', TYPES.csv, '\r\n', ''],
    ['columns of a header', TYPES.csv, ',', ''],
    ['blanks in a JSON array', TYPES.json, ' ', '['],
  ])(
    '30 of 65 KB that inflate to 64 MiB of %s are refused within 1 GiB of memory',
    async (_, type, text, before) => {
      const body = gzipSync(
        Buffer.concat([Buffer.from(before), Buffer.alloc(64 * MIB - before.length, text)]),
      );
      const bombs = Array.from({ length: 30 }, () =>
        served.service.post(body, type, '', { 'content-encoding': 'gzip' }),
      );
      let most = 0;
      const watch = setInterval(() => (most = Math.max(most, served.residentBytes())), 50);
      const answers = await Promise.all(bombs).finally(() => clearInterval(watch));
      for (const { status } of answers) expect([400, 429]).toContain(status);
      expect(answers.filter(({ status }) => status === 400)).not.toHaveLength(0);
      expect(most).toBeLessThan(1024 * MIB);
    },
  );
});

describe('B4: readers of the event stream that do not read', () => {
  const readers: RawClient[] = [];
  const stream = async () => {
    const client = await RawClient.to(served.service.url);
    readers.push(client);
    client.socket.write(
      `GET /v1/feedback/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS.read}\r\n\r\n`,
    );
    return client;
  };
  const tell = (fields: Record<string, unknown>) =>
    served.service.fetch('/v1/feedback', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKENS.feedback}` },
      body: JSON.stringify({ queue_size: 1, capacity: 2, level: 'ok', ts: 1, ...fields }),
    });
  afterAll(() => readers.forEach(({ socket }) => socket.destroy()));

  /** Events with the longest names that there may be. */
  const tellMany = async (from: number, count: number) => {
    const name = '☃'.repeat(250);
    for (let first = from; first < from + count; first += 100) {
      const ids = Array.from({ length: 100 }, (_, at) => `${first + at} ${name}`);
      const answers = await Promise.all(
        ids.map((coordinator_id) => tell({ coordinator_id, source: name, reason: name })),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    }
  };

  it('owe little, whatever the names, and one that reads gets everything', async () => {
    await tellMany(0, 1_000);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, served.residentBytes())), 100);
    try {
      const reading = await stream();
      await eventually('it is told how everything stands', () => reading.has('"coordinator_id":"999 '));
      for (let at = 1; at < 300; at++) (await stream()).socket.pause();
      await tellMany(1_000, 1_500);
      const told = () =>
        [...reading.rest().matchAll(/"coordinator_id":"(\d+) /g)]
          .map(([, id]) => Number(id))
          .filter((id) => id >= 1_000);
      await eventually('it has every event', () => told().length >= 1_500);
      // A hundred are sent at once: the store may take them in any order.
      expect(told().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1_500 }, (_, at) => 1_000 + at));
    } finally {
      clearInterval(watch);
    }
    expect(most).toBeLessThan(512 * MIB);
  });

  it.each([
    ['a control character', '\u0001'],
    ['half a character', '\ud800'],
    ['a line separator', '\u2028'],
  ])('cannot be sent a name with %s', async (_, character) => {
    for (const field of ['coordinator_id', 'source', 'reason']) {
      const answer = await tell({ coordinator_id: 'c', [field]: `x${character}` });
      expect(answer.status).toBe(422);
      expect(await answer.json()).toMatchObject({
        errors: [{ pointer: `/${field}`, detail: 'must have printable characters only' }],
      });
    }
  });
});
