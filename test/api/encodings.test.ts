import { request } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import { afterEach, describe, expect, it, jest } from '@jest/globals';

import { GOOD_ROW, jsonRow } from '../bars/decode.samples.js';
import { TOKENS } from '../support/service.js';
import { read, ServedDatabase, TYPES } from './api.samples.js';

// Bodies of 64 MiB take their time on a busy machine.
jest.setTimeout(120_000);

const served = new ServedDatabase();

const MIB = 1024 * 1024;
const LIMIT = 64 * MIB;
const GZIP = { 'content-encoding': 'gzip' };
const body = jsonRow();

afterEach(async () => {
  const health = await served.service.fetch('/healthz');
  expect(await health.json()).toMatchObject({ ok: true, state: 'healthy' });
  await served.clear();
});

async function outcome(
  bytes: string | Uint8Array,
  headers: Record<string, string>,
  type: string = TYPES.ndjson,
): Promise<[number, string | undefined, number]> {
  const { status, json } = await served.service.post(bytes, type, '', headers);
  return [status, json.code, (await served.stored()).bars];
}

const TAKEN = [200, undefined, 1];
const MALFORMED = [400, 'malformed-body', 0];
const TOO_LARGE = [413, 'body-too-large', 0];
const UNSUPPORTED = [415, 'unsupported-media-type', 0];

/** Announces a body of so many bytes, sends at most `sent` of them, and gives the answer. */
async function announce(
  length: number | 'chunked',
  sent: number,
): Promise<{ status: number; code: unknown }> {
  return await new Promise((resolve, reject) => {
    const post = request(`${served.service.url}/v1/bars`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKENS.ingest}`,
        'content-type': TYPES.ndjson,
        ...(length === 'chunked' ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }),
      },
    });
    let answered = false;
    post.on('response', (answer) => {
      answered = true;
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => {
        post.destroy();
        const { code } = JSON.parse(text) as { code: unknown };
        resolve({ status: answer.statusCode ?? 0, code });
      });
    });
    // The service need not read on once it has answered: the rest then cannot be sent.
    post.on('error', (error) => answered || reject(error));
    const chunk = Buffer.alloc(MIB, ' ');
    let left = sent;
    const send = (): void => {
      for (; left > 0 && !answered; left -= MIB) {
        if (!post.write(chunk.subarray(0, Math.min(left, MIB)))) {
          left -= MIB;
          post.once('drain', send);
          return;
        }
      }
    };
    post.flushHeaders();
    send();
  });
}

describe('a body with Content-Encoding', () => {
  it.each(['gzip', 'GZIP', ' gzip', 'x-gzip'])('%s is inflated', async (name) => {
    expect(await outcome(gzipSync(body), { 'content-encoding': name })).toEqual(TAKEN);
    expect(read(await served.get('/v1/bars'), 'json')).toEqual([GOOD_ROW]);
  });

  it('identity is taken as it is', async () => {
    expect(await outcome(body, { 'content-encoding': 'identity' })).toEqual(TAKEN);
  });

  it('gzip may have several members', async () => {
    const halves = Buffer.concat([gzipSync(body.slice(0, 40)), gzipSync(body.slice(40))]);
    expect(await outcome(halves, GZIP)).toEqual(TAKEN);
  });

  it('gzip is malformed when it is truncated anywhere, damaged, or not gzip', async () => {
    const zipped = gzipSync(body);
    const damaged = Buffer.from(zipped);
    damaged.writeUInt8(damaged.readUInt8(zipped.length - 6) ^ 1, zipped.length - 6);
    for (const bytes of [
      zipped.subarray(0, -1),
      zipped.subarray(0, -8),
      zipped.subarray(0, zipped.length / 2),
      zipped.subarray(0, 10),
      zipped.subarray(0, 1),
      damaged,
      Buffer.from(body),
      deflateSync(body),
    ]) {
      expect(await outcome(bytes, GZIP)).toEqual(MALFORMED);
    }
  });

  it('gzip of nothing holds no bars', async () => {
    expect(await outcome(gzipSync(''), GZIP)).toEqual([422, 'no-bars', 0]);
  });

  it.each(['br', 'deflate', 'zstd', 'compress', 'gzip, gzip', 'aws-chunked', 'gzipp'])(
    '%s is refused, and the answer says what is taken',
    async (name) => {
      const answer = await served.service.post(brotliCompressSync(body), TYPES.ndjson, '', {
        'content-encoding': name,
      });
      expect([answer.status, answer.json.code]).toEqual([415, 'unsupported-media-type']);
      expect(answer.headers.get('accept-encoding')).toBe('gzip');
    },
  );

  it('gzip that inflates past 64 MiB is refused, and is not inflated further', async () => {
    const bomb = gzipSync(Buffer.alloc(LIMIT + 1, ' '));
    expect(bomb.length).toBeLessThan(MIB);
    const timed = async (bombs: number) => {
      const start = performance.now();
      expect(await outcome(Buffer.concat(Array.from({ length: bombs }, () => bomb)), GZIP)).toEqual(
        TOO_LARGE,
      );
      return performance.now() - start;
    };
    const one = await timed(1);
    // Inflated to its end it would take as many times as long.
    expect(await timed(256)).toBeLessThan(32 * Math.max(one, 250));
  });

  it('gzip that inflates to 64 MiB exactly is taken', async () => {
    const full = Buffer.alloc(LIMIT, `${body.trim().padEnd(MIB - 1)}\n`);
    expect(await outcome(gzipSync(full, { level: 1 }), GZIP)).toEqual(TAKEN);
  });
});

describe('a body of', () => {
  it('64 MiB is taken, and one byte more is refused', async () => {
    const full = Buffer.alloc(LIMIT, `${body.trim().padEnd(MIB - 1)}\n`);
    expect(await outcome(full, {})).toEqual(TAKEN);
    expect(await announce(LIMIT + 1, 0)).toEqual({ status: 413, code: 'body-too-large' });
  });

  it('unknown length is refused once it passes 64 MiB', async () => {
    expect(await announce('chunked', 2 * LIMIT)).toEqual({ status: 413, code: 'body-too-large' });
  });

  it('petabytes is refused before any of it is sent', async () => {
    expect(await announce(1e15, 0)).toEqual({ status: 413, code: 'body-too-large' });
  });

  it('more bars than the queue holds is refused', async () => {
    const rows = Array.from({ length: 500_001 }, (_, at) => `a,A,1s,${1_704_153_600 + at},1,1,1,1,1\n`);
    const csv = `provider,symbol,interval,ts,open,high,low,close,volume\n${rows.join('')}`;
    expect(await outcome(csv, {}, TYPES.csv)).toEqual(TOO_LARGE);
  });
});

describe('a body with Content-Type', () => {
  it.each([
    'application/x-ndjson; charset=utf-8',
    'application/x-ndjson;charset=UTF-8',
    'application/x-ndjson; charset="utf-8"',
    'application/x-ndjson; charset=utf8',
    'Application/X-NDJSON',
    'application/json',
    'application/json; charset=utf-8',
    'application/json; profile="x"',
  ])('%s is taken', async (type) => {
    expect(await outcome(body, {}, type)).toEqual(TAKEN);
  });

  it.each([
    'text/plain',
    'text/json',
    'text/html',
    'application/xml',
    'application/octet-stream',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/json; charset=iso-8859-1',
    'application/x-ndjson; charset=',
    'text/csv; charset=windows-1252',
    'application/jsonx',
    'application/vnd.api+json',
    'json',
    '*/*',
  ])('%s is refused', async (type) => {
    expect(await outcome(body, {}, type)).toEqual(UNSUPPORTED);
  });

  it('missing is refused', async () => {
    const answer = await served.service.fetch('/v1/bars', { method: 'POST', body: Buffer.from(body) });
    expect(answer.status).toBe(415);
    expect(await answer.json()).toMatchObject({ code: 'unsupported-media-type' });
    expect(await served.stored()).toMatchObject({ bars: 0 });
  });
});

describe('a compressed body of anything but bars', () => {
  const event = '{"coordinator_id":"a","queue_size":0,"capacity":1,"level":"ok","ts":1}';

  async function refusal(
    method: string,
    path: string,
    sent: Uint8Array,
    encoding: string,
  ): Promise<unknown[]> {
    const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
    const answer = await served.service.fetch(path, { method, headers, body: sent });
    const { code, detail } = (await answer.json()) as { code?: string; detail?: string };
    return [answer.status, answer.headers.get('accept-encoding'), code, detail];
  }

  it.each([
    ['POST', '/v1/feedback'],
    ['POST', '/v1/rate-control/adjustments'],
    ['PUT', '/v1/rate-control/providers/ibkr'],
    ['POST', '/v1/rate-control/providers/ibkr/acquire'],
    ['POST', '/v1/rate-control/providers/ibkr/cooldown'],
  ])('is refused: %s %s', async (method, path) => {
    for (const encoding of ['gzip', 'X-GZIP', 'br', 'identity, gzip'])
      expect(await refusal(method, path, gzipSync(event), encoding)).toEqual([
        415,
        'identity',
        'unsupported-media-type',
        'Only POST /v1/bars takes compressed bodies.',
      ]);
  });

  it('is taken when it is not compressed and says so', async () => {
    for (const encoding of ['identity', 'Identity', ''])
      expect((await refusal('POST', '/v1/feedback', Buffer.from(event), encoding))[0]).toBe(202);
  });
});
