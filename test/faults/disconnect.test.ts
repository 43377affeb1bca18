import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startService, TOKENS, type TestService } from '../support/service.js';

let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  database = await createDatabase();
  service = await startService({ DATABASE_URL: database.url });
});
afterAll(async () => {
  await service.stop();
  await database.drop();
});

const LINES = Array.from({ length: 1_000 }, (_, index) =>
  JSON.stringify({
    provider: 'p',
    symbol: 'GONE',
    interval: '1m',
    ts: 1_767_225_600 + index * 60,
    ...{ open: 1, high: 1, low: 1, close: 1, volume: 1 },
  }),
);
const NDJSON = Buffer.from(`${LINES.join('\n')}\n`);
/** Where a line ends: what was sent is well-formed as far as it goes. */
const HALF = Buffer.byteLength(`${LINES.slice(0, 500).join('\n')}\n`);

/** Sends a request's head and the beginning of its body, and hangs up when it is on its way. */
async function hangUp(headers: readonly string[], body: Buffer, how: 'end' | 'reset'): Promise<void> {
  const { port } = new URL(service.url);
  const socket = connect({ host: '127.0.0.1', port: Number(port) });
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  const head = ['POST /v1/bars HTTP/1.1', 'Host: x', `Authorization: Bearer ${TOKENS.ingest}`, ...headers];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  await new Promise<void>((sent) => socket.write(body, () => sent()));
  // All of it has been read by the service, not only by the kernel, before the connection goes.
  await new Promise((resolve) => setTimeout(resolve, 100));
  if (how === 'reset') socket.resetAndDestroy();
  else socket.end();
  await once(socket.resume(), 'close');
}

const accepted = async () => {
  const { rows } = (await (await service.fetch('/v1/coordinator')).json()) as { rows: { accepted: number } };
  return rows.accepted;
};

describe('a client that hangs up in the middle of its body', () => {
  const type = 'Content-Type: application/x-ndjson';
  const chunk = (bytes: Buffer) =>
    Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
  const zipped = gzipSync(NDJSON);
  const cases: readonly [string, readonly string[], Buffer][] = [
    ['of a known length', [type, `Content-Length: ${NDJSON.length}`], NDJSON.subarray(0, HALF)],
    ['in chunks', [type, 'Transfer-Encoding: chunked'], chunk(NDJSON.subarray(0, HALF))],
    [
      'that is compressed',
      [type, 'Content-Encoding: gzip', `Content-Length: ${zipped.length}`],
      zipped.subarray(0, zipped.length >> 1),
    ],
  ];
  for (const [what, headers, body] of cases) {
    for (const how of ['end', 'reset'] as const) {
      it(`${what} stores nothing (${how})`, async () => {
        await hangUp(headers, body, how);
        expect((await service.fetch('/livez')).status).toBe(200);
        expect(await accepted()).toBe(0);
      });
    }
  }

  it('after the last byte of it has its bars stored, though nobody hears the answer', async () => {
    await hangUp([type, `Content-Length: ${NDJSON.length}`], NDJSON, 'reset');
    await eventually('they are accepted', async () => (await accepted()) === LINES.length);
  });
});
