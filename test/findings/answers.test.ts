import { gunzipSync } from 'node:zlib';

import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { bar, ServedDatabase, TYPES, write } from '../api/api.samples.js';
import { eventually } from '../support/eventually.js';
import { post, RawClient } from '../support/raw.client.js';
import { startService, TOKENS } from '../support/service.js';

const served = new ServedDatabase();
const clients: RawClient[] = [];
afterEach(() => {
  for (const { socket } of clients.splice(0)) socket.destroy();
});

async function client(): Promise<RawClient> {
  const one = await RawClient.to(served.service.url);
  clients.push(one);
  return one;
}

/** What the bytes are answered with, on a connection of their own. */
async function answerTo(...pieces: readonly (string | Buffer)[]): Promise<RawAnswer> {
  const one = await client();
  await one.send(...pieces);
  const [text = ''] = await one.answers();
  return parse(text);
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function parse(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [start = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line) => /^([^:]+): *(.*)$/.exec(line) ?? []);
  return {
    status: Number(start.split(' ')[1]),
    headers: Object.fromEntries(headers.map(([, name = '', value = '']) => [name.toLowerCase(), value])),
    body: rest.join('\r\n\r\n'),
  };
}

const SECURITY = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};
const USUAL = { authorization: `Bearer ${TOKENS.ingest}`, 'content-type': TYPES.csv };
const GET = (path: string, ...fields: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'host: x', ...fields, '', ''].join('\r\n');

/** The head of a usual request with an empty body, but for its Host. */
const POST = `POST /v1/bars HTTP/1.1\r\nauthorization: Bearer ${TOKENS.ingest}\r\ncontent-type: text/csv\r\ncontent-length: 0\r\n`;

/** Requests that no handler of ours is asked for, with the status and code that they are answered with. */
const UNHANDLED: [string, string, number, string][] = [
  ['a head beyond 16 KiB', GET(`/v1/bars/latest?symbols=${'ABCDEF,'.repeat(2_500)}`), 431, 'head-too-large'],
  ['a head of a mebibyte', GET('/livez', `x-note: ${'y'.repeat(1024 * 1024)}`), 431, 'head-too-large'],
  ['no HTTP', 'hello\r\n\r\n', 400, 'bad-request'],
  ['a field without a name', GET('/livez', ': value'), 400, 'bad-request'],
  ['two lengths', GET('/livez', 'content-length: 1', 'content-length: 2'), 400, 'bad-request'],
  ['no Host', 'GET /livez HTTP/1.1\r\n\r\n', 400, 'bad-request'],
  ['two Hosts', GET('/livez', 'host: x'), 400, 'bad-request'],
  ['two Hosts of HTTP/1.0', 'GET /livez HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n', 400, 'bad-request'],
  ['two Hosts of bars', `${POST}host: x\r\nHost: y\r\n\r\n`, 400, 'bad-request'],
  ...['a b', 'a/b', 'u@a', 'a:b', 'a:1:2', '[::1', '[g]', 'a%2', 'a\\b', 'http://a'].flatMap(
    (host): typeof UNHANDLED => [
      [`the Host ${host}`, `GET /livez HTTP/1.1\r\nhost: ${host}\r\n\r\n`, 400, 'bad-request'],
      [`the Host ${host} of bars`, `${POST}host: ${host}\r\n\r\n`, 400, 'bad-request'],
    ],
  ),
  ['an unknown Expect', GET('/livez', 'expect: the-best'), 417, 'expectation-failed'],
  ['CONNECT', 'CONNECT store:443 HTTP/1.1\r\nhost: store:443\r\n\r\n', 405, 'method-not-allowed'],
  ['a broken percent-encoding', GET('/v1/bars/%ZZ'), 400, 'bad-request'],
  [
    'a chunk that is none',
    `POST /v1/bars HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKENS.ingest}\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
    400,
    'bad-request',
  ],
];

describe('B8: every answer says that it is no page to be framed, guessed at or run', () => {
  it.each(['/livez', '/readyz', '/readyz?verbose', '/metrics', '/openapi.json', '/', '/v1/bars'])(
    'GET %s does',
    async (path) => {
      expect((await answerTo(GET(path, `authorization: Bearer ${TOKENS.read}`))).headers).toMatchObject(
        SECURITY,
      );
    },
  );

  it.each([
    ['GET /nothing', 404],
    ['GET /v1/bars', 401],
    ['PUT /v1/bars', 405],
    ['POST /v1/feedback', 403],
  ])('and so does the refusal of %s with %d', async (target, status) => {
    const token = status === 401 ? 'wrong' : TOKENS.read;
    const answer = await answerTo(
      `${target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-length: 0\r\n\r\n`,
    );
    expect(answer).toMatchObject({ status, headers: SECURITY });
  });

  it('a small body of bars, taken or refused, is answered with them too', async () => {
    const answers = [
      await answerTo(post('/v1/bars', USUAL, write([bar()], 'csv'))),
      await answerTo(post('/v1/bars', USUAL, 'no bars')),
      await answerTo(post('/v1/bars', { ...USUAL, 'x-note': 'é' }, write([bar()], 'csv'))),
    ];
    expect(answers.map(({ status }) => status)).toEqual([202, 400, 202]);
    for (const { headers } of answers) expect(headers).toMatchObject(SECURITY);
  });

  it.each(['/v1/bars?format=csv', '/v1/feedback/stream'])('and so is the stream %s', async (path) => {
    const gone = new AbortController();
    const answer = await served.service.fetch(path, { signal: gone.signal });
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      ...SECURITY,
      'x-request-id': expect.any(String),
    });
    gone.abort();
  });

  it.each(UNHANDLED)('and so is %s', async (_what, request) => {
    expect((await answerTo(request)).headers).toMatchObject(SECURITY);
  });
});

describe('B9: whatever is refused is refused with a problem document', () => {
  it.each(UNHANDLED)('%s too', async (_what, request, status, code) => {
    const { headers, body, ...answer } = await answerTo(request);
    expect(answer.status).toBe(status);
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
    const problem = JSON.parse(body) as Record<string, unknown>;
    expect(problem).toMatchObject({ status, code, request_id: headers['x-request-id'] });
    for (const member of ['type', 'title', 'detail', 'instance'])
      expect(problem[member]).toEqual(expect.stringMatching(/./));
  });

  it('a request of HTTP/1.0 needs no Host', async () => {
    expect((await answerTo('GET /livez HTTP/1.0\r\n\r\n')).status).toBe(200);
  });

  it.each([
    '',
    'store',
    'STORE.example.:8081',
    '127.0.0.1:',
    '[::1]:8081',
    '[v1.a:b]',
    "a_b~c!$&'()*+,;=%C3%A9",
  ])('the Host "%s" is taken', async (host) => {
    expect((await answerTo(`GET /livez HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status).toBe(200);
    const answer = await answerTo(post('/v1/bars', { ...USUAL, host }, write([bar()], 'csv')));
    expect(answer.status).toBe(202);
  });

  it('CONNECT ends the connection, after the answers that are due before it, whatever comes then', async () => {
    const one = await client();
    const connect = 'CONNECT store:443 HTTP/1.1\r\nhost: store:443\r\n\r\n';
    await one.send(`${GET('/healthz')}${connect}rubbish`, 'more');
    const [first, second] = (await one.answers(2)).map(parse);
    expect([first?.status, second?.status, second?.headers['allow']]).toEqual([200, 405, '']);
    await one.ended();
    const gone = await client();
    await gone.send(connect);
    gone.socket.resetAndDestroy();
    expect((await answerTo(GET('/livez'))).status).toBe(200);
  });

  it.each([
    ['a small body', USUAL, '20'],
    ['a body by the route', { ...USUAL, 'x-note': 'é' }, '20'],
    ['a large body', USUAL, '20000'],
    ['a compressed body', { ...USUAL, 'content-encoding': 'gzip' }, '20'],
  ])('%s that ends before its length is refused', async (_what, fields, length) => {
    for (const body of ['', 'half of it']) {
      const one = await client();
      await one.send(post('/v1/bars', { ...fields, 'content-length': length }, body));
      one.socket.end();
      const [text = ''] = await one.answers();
      const answer = parse(text);
      expect([answer.status, answer.headers['connection']]).toEqual([400, 'close']);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'bad-request' });
      await one.ended();
    }
  });

  it('what cannot be read does not cut or change the answers that are due before it', async () => {
    await served.service.post(write([bar()], 'csv'), TYPES.csv);
    const one = await client();
    await one.send(`${GET('/v1/bars', `authorization: Bearer ${TOKENS.read}`)}rubbish\r\n\r\n`);
    const [first, second] = (await one.answers(2)).map(parse);
    expect([first?.status, second?.status]).toEqual([200, 400]);
    expect(JSON.parse(first?.body ?? '')).toMatchObject({ bars: [expect.anything()] });
    await one.ended();
  });

  it('a request that was answered before its body was whole gets no second answer', async () => {
    const one = await client();
    await one.send(
      `POST /v1/bars HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    expect((await one.answers()).map((text) => parse(text).status)).toEqual([401]);
    await one.send('zz\r\n');
    await one.ended();
    expect(one.has('HTTP/1.1')).toBe(false);
  });
});

describe('D5: what a person sees', () => {
  it('JSON answers end with a line end', async () => {
    const { service } = served;
    const paths = ['/livez', '/healthz', '/readyz', '/v1/coordinator', '/v1/bars', '/v1/bars/latest'];
    const more = ['/v1/series', '/v1/dlq', '/v1/feedback', '/v1/rate-control/providers', '/openapi.json'];
    const contract = '/contracts/telemetry.FeedbackEvent.schema.json';
    for (const path of [...paths, ...more, contract, '/nothing', '/v1/bars?limit=0']) {
      const text = await (await service.fetch(path)).text();
      expect([path, text.endsWith('}\n')]).toEqual([path, true]);
    }
  });

  it('and so do the answers to bars, by either way, and to what is no HTTP', async () => {
    for (const [headers, body] of [
      [USUAL, write([bar()], 'csv')],
      [USUAL, 'no bars'],
      [{}, 'x'],
      [{ ...USUAL, 'x-note': 'é' }, write([bar()], 'csv')],
      [{ ...USUAL, 'x-note': 'é' }, 'no bars'],
    ] as [Record<string, string>, string][])
      expect((await answerTo(post('/v1/bars', headers, body))).body).toMatch(/\}\n$/);
    for (const [, request] of UNHANDLED) expect((await answerTo(request)).body).toMatch(/\}\n$/);
  });

  it('the address of the service leads to its documentation', async () => {
    const answer = await answerTo(GET('/'));
    expect([answer.status, answer.headers['location']]).toEqual([302, '/docs']);
  });
});

/** The status, type, code and Vary of an answer to GET /v1/bars. */
async function negotiated(fields: Record<string, string>, query = '') {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  const { status, headers, body } = await answerTo(
    GET(`/v1/bars?limit=1${query}`, `authorization: Bearer ${TOKENS.read}`, ...lines),
  );
  const type = headers['content-type']?.split(';', 1)[0];
  return { status, type, vary: headers['vary'], encoding: headers['content-encoding'], body };
}

const { json: JSON_TYPE, ndjson: NDJSON, csv: CSV } = TYPES;

describe('D3: Accept is read by the rules of RFC 9110', () => {
  it.each([
    [undefined, JSON_TYPE],
    ['', JSON_TYPE],
    ['*/*', JSON_TYPE],
    ['application/json, text/csv;q=0.5', JSON_TYPE],
    ['text/csv;q=0.5, application/json;q=0.4', CSV],
    ['TEXT/CSV', CSV],
    ['text/*', CSV],
    ['application/*;q=0.5, text/csv;q=0.6', CSV],
    ['text/csv;q=0, */*', JSON_TYPE],
    ['application/json;q=0, */*;q=0.1', NDJSON],
    ['text/csv; charset=UTF-8', CSV],
    ['text/html, application/xhtml+xml, */*;q=0.8', JSON_TYPE],
    ['application/x-ndjson', NDJSON],
  ])('%s is answered with %s', async (accept, type) => {
    expect(await negotiated(accept === undefined ? {} : { accept })).toMatchObject({
      status: 200,
      type,
      vary: expect.stringMatching(/^Accept\b(?!-)/),
    });
  });

  it.each(['text/csv;q=0', 'text/html', 'image/*, application/json;q=0.0'])(
    '%s takes no type that there is, and is told which there are',
    async (accept) => {
      const { status, type, body } = await negotiated({ accept });
      expect([status, type]).toEqual([406, 'application/problem+json']);
      expect(JSON.parse(body)).toMatchObject({
        code: 'not-acceptable',
        detail:
          'The answer can be application/json, application/x-ndjson, text/csv; Accept takes none of them.',
      });
    },
  );

  it('the parameter format is stronger', async () => {
    expect(await negotiated({ accept: 'text/html' }, '&format=csv')).toMatchObject({
      status: 200,
      type: CSV,
    });
  });
});

describe('D3: answers are compressed for those who ask for it', () => {
  const bars = Array.from({ length: 400 }, (_, at) => bar({ symbol: `GZ${at}`, close: 1 + at / 1_000 }));
  beforeAll(async () => {
    await served.service.post(write(bars, 'csv'), TYPES.csv);
  });

  /** The answer as it went over the wire, its pieces put together. */
  async function get(path: string, encoding: string): Promise<RawAnswer & { bytes: Buffer }> {
    const one = await client();
    const fields = [`authorization: Bearer ${TOKENS.admin}`, `accept-encoding: ${encoding}`];
    await one.send(GET(path, 'connection: close', ...fields));
    await one.ended();
    const answer = parse(one.rest());
    const wire = Buffer.from(answer.body, 'latin1');
    return { ...answer, bytes: answer.headers['transfer-encoding'] === 'chunked' ? unchunked(wire) : wire };
  }

  it.each([
    '/v1/bars?format=csv',
    '/v1/bars?format=ndjson',
    '/v1/bars?format=csv&limit=300',
    '/v1/bars?limit=300',
    '/v1/bars/latest',
    '/v1/series',
    '/openapi.json',
    '/metrics',
    '/docs/swagger-ui-bundle.js',
  ])('%s is', async (path) => {
    const plain = await get(path, 'identity');
    const small = await get(path, 'gzip, deflate, br');
    expect([plain.status, small.status]).toEqual([200, 200]);
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(small.headers['content-encoding']).toBe('gzip');
    for (const { headers } of [plain, small]) expect(headers['vary']).toMatch(/Accept-Encoding$/);
    expect(small.bytes.length).toBeLessThan(plain.bytes.length / 2);
    const text = gunzipSync(small.bytes).toString();
    // Ages and samples change from one moment to the next.
    if (path === '/metrics') expect(text).toContain('store_up 1');
    else expect(withoutAges(text)).toBe(withoutAges(plain.bytes.toString()));
  });

  it.each([
    ['gzip', true],
    ['GZIP;q=0.5', true],
    ['*', true],
    ['gzip;q=0', false],
    ['gzip;q=0, *', false],
    ['identity, *;q=0', false],
    ['gzip;q=0.4, identity', false],
    ['br', false],
    ['', false],
  ])('Accept-Encoding: %s asks for it: %s', async (encoding, compressed) => {
    const { headers } = await get('/v1/bars?limit=300', encoding);
    expect(headers['content-encoding']).toBe(compressed ? 'gzip' : undefined);
  });

  it('a small answer, a problem and the stream of events are not', async () => {
    for (const path of ['/livez', '/v1/bars?limit=1', '/v1/bars?limit=0'])
      expect([path, (await get(path, 'gzip')).headers['content-encoding']]).toEqual([path, undefined]);
    const events = await answerHead('/v1/feedback/stream');
    expect([events.headers['content-type'], events.headers['content-encoding']]).toEqual([
      'text/event-stream; charset=utf-8',
      undefined,
    ]);
  });

  it('caches hear also of a small one that a longer answer there is compressed', async () => {
    for (const path of ['/livez', '/v1/coordinator', '/v1/feedback', '/v1/bars?symbols=NONE&format=csv'])
      for (const encoding of ['gzip', 'identity'])
        expect([path, (await get(path, encoding)).headers['vary']]).toEqual([
          path,
          expect.stringMatching(/Accept-Encoding$/),
        ]);
  });

  async function answerHead(path: string): Promise<RawAnswer> {
    const one = await client();
    await one.send(GET(path, `authorization: Bearer ${TOKENS.read}`, 'accept-encoding: gzip'));
    await eventually('the head has come', () => one.has('\r\n\r\n'));
    return parse(one.rest());
  }
});

const withoutAges = (text: string): string => text.replaceAll(/"age_seconds":[\d.]+/g, '');

/** A body in chunks (RFC 9112, 7.1), put together. */
function unchunked(wire: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; ;) {
    const end = wire.indexOf('\r\n', at);
    const length = parseInt(wire.toString('latin1', at, end), 16);
    if (!(length > 0)) return Buffer.concat(pieces);
    pieces.push(wire.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
}

describe('A12: while the database is away', () => {
  it('a request that is refused for it is one line of the log, with the reason', async () => {
    const service = await startService({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' });
    try {
      const before = service.output().length;
      const answer = await service.fetch('/v1/series', { headers: { 'x-request-id': 'asked-once' } });
      expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'database-unavailable' }]);
      await eventually('it is logged', () => service.output().includes('database-unavailable: '));
      const logged = service.output().slice(before);
      expect(logged).toMatch(/WARN.*database-unavailable: .*ECONNREFUSED.*asked-once.*\/v1\/series/);
      expect(logged).not.toMatch(/^\s+(?:"stack"|at )/m);
    } finally {
      await service.stop();
    }
  });
});
