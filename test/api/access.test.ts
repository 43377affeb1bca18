import { describe, expect, it } from '@jest/globals';

import { jsonRow } from '../bars/decode.samples.js';
import { RawClient } from '../support/raw.client.js';
import { TOKENS } from '../support/service.js';
import { ServedDatabase, TYPES } from './api.samples.js';

const SECOND_INGEST_TOKEN = 'another.ingest~token+/==';
const served = new ServedDatabase({ INGEST_TOKEN: `${TOKENS.ingest}, ${SECOND_INGEST_TOKEN}` });

const READS = ['/v1/bars', '/v1/bars/latest', '/v1/series'];

async function ask(
  path: string,
  authorization: string | undefined,
  method = 'GET',
): Promise<{ status: number; code: unknown; challenge: string | null }> {
  const answer = await fetch(`${served.service.url}${path}`, {
    method,
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(method === 'GET' ? {} : { 'content-type': TYPES.json }),
    },
    ...(method === 'GET' ? {} : { body: jsonRow() }),
  });
  const text = await answer.text();
  const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json') === true;
  const code = isProblem ? (JSON.parse(text) as { code: unknown }).code : undefined;
  return { status: answer.status, code, challenge: answer.headers.get('www-authenticate') };
}

const UNAUTHORIZED = { status: 401, code: 'unauthorized', challenge: 'Bearer' };
const FORBIDDEN = { status: 403, code: 'forbidden', challenge: null };
const DONE = { status: 200, code: undefined, challenge: null };
const TAKEN = { ...DONE, status: 202 };

describe('a request', () => {
  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer wrong',
    `Bearer ${TOKENS.admin}x`,
    `Bearer ${TOKENS.admin.slice(0, -1)}`,
    `Bearer ${TOKENS.admin.toUpperCase()}`,
    `Bearer ${TOKENS.ingest},${SECOND_INGEST_TOKEN}`,
    `Bearer ${TOKENS.admin} ${TOKENS.admin}`,
    `Basic ${Buffer.from(`admin:${TOKENS.admin}`).toString('base64')}`,
    TOKENS.admin,
    'Bearer changeme',
    'Bearer undefined',
    `Bearer ${'x'.repeat(8_000)}`,
  ])('with the authorization %s is answered 401 wherever a token is needed', async (authorization) => {
    expect(await ask('/v1/bars', authorization, 'POST')).toEqual(UNAUTHORIZED);
    for (const path of [...READS, '/v1/coordinator'])
      expect(await ask(path, authorization)).toEqual(UNAUTHORIZED);
    expect(await served.stored()).toEqual({ bars: 0, series: 0, revisions: 0 });
  });

  it('with a token that only reads may read and not write', async () => {
    const token = `Bearer ${TOKENS.read}`;
    for (const path of READS) expect(await ask(path, token)).toEqual(DONE);
    expect(await ask('/v1/bars', token, 'POST')).toEqual(FORBIDDEN);
    expect(await served.stored()).toMatchObject({ bars: 0 });
  });

  it('with a token that only writes may write and not read', async () => {
    for (const token of [TOKENS.ingest, SECOND_INGEST_TOKEN]) {
      expect(await ask('/v1/bars', `Bearer ${token}`, 'POST')).toEqual(TAKEN);
      for (const path of READS) expect(await ask(path, `Bearer ${token}`)).toEqual(FORBIDDEN);
    }
  });

  it('with the admin token may do everything, in any case of the word Bearer', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER ']) {
      expect(await ask('/v1/bars', `${scheme} ${TOKENS.admin}`, 'POST')).toEqual(TAKEN);
      for (const path of READS) expect(await ask(path, `${scheme} ${TOKENS.admin}`)).toEqual(DONE);
    }
  });

  it.each(['/livez', '/healthz', '/health', '/readyz', '/metrics', '/docs', '/openapi.json'])(
    'needs no token for %s, and a wrong one does no harm',
    async (path) => {
      expect(await ask(path, undefined)).toEqual(DONE);
      expect(await ask(path, 'Bearer wrong')).toEqual(DONE);
    },
  );

  it('without a token is refused before its body is read', async () => {
    const client = await RawClient.to(served.service.url);
    await client.send(
      'POST /v1/bars HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 60000000\r\n\r\nprovider,',
    );
    const [answer] = await client.answers();
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    client.socket.destroy();
    expect(await ask('/livez', undefined)).toEqual(DONE);
  });
});
