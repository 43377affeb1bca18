import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { RequestHeadReader } from '../../src/http/request.head.js';

const START = 'POST /v1/bars HTTP/1.1';
const reader = new RequestHeadReader(START);

/** The head of these lines, read by a reader that remembers others too. */
function read(...lines: string[]): ReturnType<RequestHeadReader['read']> {
  return reader.read(Buffer.from([START, ...lines, '', ''].join('\r\n'), 'latin1'));
}

describe('a usual head', () => {
  it.each([
    [
      'undici',
      [
        'host: 127.0.0.1:8081',
        'connection: keep-alive',
        'authorization: Bearer t',
        'content-type: application/x-ndjson',
        'accept: */*',
        'accept-language: *',
        'sec-fetch-mode: cors',
        'user-agent: node',
        'accept-encoding: gzip, deflate',
        'content-length: 12',
      ],
    ],
    [
      'curl',
      [
        'Host: store:8081',
        'User-Agent: curl/8.5.0',
        'Accept: */*',
        'Content-Length: 12',
        'Content-Type: text/csv',
      ],
    ],
    [
      'Python',
      [
        'Host: store',
        'User-Agent: python-requests/2.32.3',
        'Accept-Encoding: gzip, deflate',
        'Accept: */*',
        'Connection: keep-alive',
        'Content-Type: application/json',
        'Content-Length: 12',
      ],
    ],
    ['Go', ['Host: store', 'User-Agent: Go-http-client/1.1', 'Content-Length: 12', 'Accept-Encoding: gzip']],
  ])('of %s is read', (_client, lines) => {
    for (const times of [1, 2]) {
      const head = read(...lines);
      expect([times, head?.bodyBytes]).toEqual([times, 12]);
      expect(head?.bytes).toBe([START, ...lines, '', ''].join('\r\n').length);
      expect(head?.fields.get('host')).toMatch(/^(store|127\.0\.0\.1)/);
    }
  });
});

describe('a head that Node should see', () => {
  it.each([
    ['no length', ['host: x']],
    ['no host', ['content-length: 1']],
    ['two hosts', ['host: x', 'Host: x', 'content-length: 1']],
    ['a host that is none', ['host: a/b', 'content-length: 1']],
    ['two lengths', ['host: x', 'content-length: 1', 'Content-Length: 1']],
    ['a list of lengths', ['host: x', 'content-length: 1, 1']],
    ['a signed length', ['host: x', 'content-length: +1']],
    ['a length with a zero before it', ['host: x', 'content-length: 01']],
    ['a length in hexadecimal', ['host: x', 'content-length: 0x1']],
    ['both length and encoding', ['host: x', 'content-length: 1', 'transfer-encoding: chunked']],
    ['a compressed body', ['host: x', 'content-length: 1', 'content-encoding: gzip']],
    ['a client that waits for 100', ['host: x', 'content-length: 1', 'expect: 100-continue']],
    ['the end of the connection', ['host: x', 'content-length: 1', 'connection: close']],
    ['another protocol', ['host: x', 'content-length: 1', 'connection: upgrade', 'upgrade: h2c']],
    ['the end of a connection through a proxy', ['host: x', 'content-length: 1', 'proxy-connection: close']],
    ['a value that ends with a blank', ['host: x', 'content-length: 1', 'x-request-id: a\t']],
    ['a folded line', ['host: x', 'content-length: 1', 'x-a: 1', ' 2']],
    ['a space before the colon', ['host: x', 'content-length : 1']],
    ['no colon', ['host: x', 'content-length: 1', 'abc']],
    ['no name', ['host: x', 'content-length: 1', ': abc']],
    ['a line feed alone', ['host: x', 'content-length: 1\nx-a: 1']],
    ['a carriage return alone', ['host: x', 'content-length: 1\rx-a: 1']],
    ['a zero byte', ['host: x', 'content-length: 1', 'x-a: \0']],
    ['bytes above ASCII', ['host: x', 'content-length: 1', 'x-a: é']],
  ])('is not read: %s', (_what, lines) => {
    expect(read(...lines)).toBeUndefined();
  });

  it('is not read: another first line, or no end', () => {
    for (const first of [
      'GET /v1/bars HTTP/1.1',
      'POST /v1/bars HTTP/1.0',
      'POST /v1/bars  HTTP/1.1',
      'post /v1/bars HTTP/1.1',
    ])
      expect(reader.read(Buffer.from(`${first}\r\nhost: x\r\ncontent-length: 1\r\n\r\n`))).toBeUndefined();
    expect(reader.read(Buffer.from(`${START}\r\nhost: x\r\ncontent-length: 1\r\n`))).toBeUndefined();
    expect(reader.read(Buffer.alloc(0))).toBeUndefined();
  });
});

it('reads a head that was made to be slow in no time', () => {
  for (const [before, after] of [
    ['', '\x7f'],
    ['x', '\x7f'],
    ['', ' x\x7f'],
  ]) {
    // The least of a few: a busy machine may hold up one.
    const times = Array.from({ length: 5 }, () => {
      const start = performance.now();
      expect(read('host: x', 'content-length: 1', `a:${before}${' '.repeat(3_900)}${after}`)).toBeUndefined();
      return performance.now() - start;
    });
    // It took 13 ms when blanks could belong to two parts of a line.
    expect(Math.min(...times)).toBeLessThan(4);
  }
});

it('remembers a bounded number of usual heads', () => {
  const heads = new RequestHeadReader(START);
  const head = (name: string) => Buffer.from(`${START}\r\nhost: ${name}\r\ncontent-length: 1\r\n\r\n`);
  for (let i = 0; i < 1_000; i += 1) {
    expect(heads.read(head(`store-${i}`))?.bodyBytes).toBe(1);
    expect(heads.size).toBeLessThanOrEqual(256);
  }
  expect(heads.size).toBeGreaterThan(0);
  const { size } = heads;
  expect(heads.read(head('long'.repeat(200)))?.bodyBytes).toBe(1);
  expect(heads.size).toBe(size);
});

describe('what is read', () => {
  let server: Server;
  let seen: { headers: IncomingHttpHeaders; body: string; keepsAlive: boolean } | undefined;

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('latin1').on('data', (text: string) => (body += text));
      request.on('end', () => {
        seen = { headers: request.headers, body, keepsAlive: response.shouldKeepAlive };
        response.end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => void server.close());

  /** What Node's server makes of the bytes; undefined when it refuses them. */
  async function node(bytes: Buffer): Promise<typeof seen> {
    seen = undefined;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(bytes);
    // An answer, or the end.
    await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    socket.destroy();
    return seen;
  }

  const name = fc.oneof(
    fc.constantFrom(
      'content-length',
      'Content-Length',
      'content-type',
      'authorization',
      'x-request-id',
      'x-a',
      'Connection',
      'te',
      'Expect',
      'Transfer-Encoding',
      'Proxy-Connection',
    ),
    fc.string({ minLength: 1, maxLength: 8 }),
  );
  const value = fc.oneof(
    fc.constantFrom(
      '3',
      '03',
      '3 ',
      ' 3',
      '\t3',
      '4',
      '',
      'keep-alive',
      'close',
      'chunked',
      'text/csv',
      'Bearer x',
    ),
    fc.string({ maxLength: 10 }),
    fc.string({ unit: fc.constantFrom('\r', '\n', '\t', ' ', ':', '\0', 'a', '\x7f', 'é'), maxLength: 4 }),
  );
  const separator = fc.constantFrom(': ', ':', ' :', ':\t', ':  ');
  const line = fc.tuple(name, separator, value).map((parts) => parts.join(''));

  it('is what Node reads, for any head', async () => {
    let read = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 3 }), fc.boolean(), async (lines, isLast) => {
        const usual = ['host: x', 'content-length: 3'];
        const all = isLast ? [...usual, ...lines] : [...lines, ...usual];
        const bytes = Buffer.from([START, ...all, '', 'abc'].join('\r\n'), 'latin1');
        const head = reader.read(bytes);
        if (head === undefined) return;
        read += 1;
        const theirs = await node(bytes);
        expect(theirs?.body).toBe(bytes.toString('latin1', head.bytes, head.bytes + head.bodyBytes));
        expect(theirs?.keepsAlive).toBe(true);
        for (const [field, text] of head.fields) expect(theirs?.headers[field]).toBe(text);
      }),
      { numRuns: 3_000 },
    );
    expect(read).toBeGreaterThan(300);
  });
});
