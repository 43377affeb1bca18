import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { gzipSync } from 'node:zlib';

import { beforeAll, describe, expect, it } from '@jest/globals';

import { TOKENS } from '../support/service.js';
import { bar, type Bar, read, ServedDatabase, TYPES, write } from './api.samples.js';

const served = new ServedDatabase();

/** More than the service reads at once, over several series that share their instants. */
const bars = ['A', 'B;"C"', 'D'].flatMap((symbol, series) =>
  Array.from({ length: 7_001 }, (_, at) =>
    bar({
      symbol,
      interval: '1m',
      ts: new Date(Date.UTC(2025, 11, 30) + at * 60_000).toISOString().replace('.000', ''),
      open: -1e300,
      high: 1e300,
      low: -1e300,
      close: (at + 0.1) / (series + 3),
      volume: at % 5 === 0 ? -0 : at * Math.PI,
    }),
  ),
);

beforeAll(async () => {
  const { json } = await served.service.post(write(bars, 'csv'), TYPES.csv);
  expect(json).toMatchObject({ inserted: bars.length });
});

/** toEqual on 21,003 rows takes seconds to say the same. */
function differences(found: readonly Bar[], expected: readonly Bar[]): string[] {
  const [lines, wanted] = [found, expected].map((rows) => write(rows, 'ndjson').split('\n')) as [
    string[],
    string[],
  ];
  expect(lines).toHaveLength(wanted.length);
  return lines.filter((line, index) => line !== wanted[index]);
}

describe('a whole range', () => {
  it.each(['csv', 'ndjson'] as const)(
    'streams as %s, is complete and exact, and posted back changes nothing',
    async (format) => {
      const text = await served.get(`/v1/bars?format=${format}`);
      expect(differences(read(text, format), bars)).toEqual([]);

      const plain = await served.service.post(text, TYPES[format]);
      expect(plain.status).toBe(200);
      expect(plain.json).toMatchObject({ accepted: bars.length, inserted: 0, updated: 0 });
      expect(plain.json).toMatchObject({ rejected: 0, unchanged: bars.length });
      const zipped = await served.service.post(gzipSync(text), TYPES[format], '', {
        'content-encoding': 'gzip',
      });
      expect(zipped.json).toMatchObject({ inserted: 0, updated: 0, unchanged: bars.length });
      expect(await served.stored()).toMatchObject({ bars: bars.length, revisions: 0 });
      expect(await served.get(`/v1/bars?format=${format}`)).toBe(text);
    },
  );

  it('streams newest first, within its bounds', async () => {
    const range = 'symbols=A,D&start=2025-12-31&end=2026-01-03T12:00:00Z';
    const text = await served.get(`/v1/bars?format=csv&sort=desc&${range}`);
    const expected = ['A', 'D'].flatMap((symbol) =>
      bars
        .filter((one) => one.symbol === symbol && one.ts >= '2025-12-31' && one.ts < '2026-01-03T12:00:00Z')
        .reverse(),
    );
    expect(expected).toHaveLength(2 * 3.5 * 1440);
    expect(differences(read(text, 'csv'), expected)).toEqual([]);
  });

  it('answers the same as JSON page by page', async () => {
    const found: Bar[] = [];
    let token: string | null = '';
    while (token !== null) {
      const query = `limit=10000${token === '' ? '' : `&page_token=${token}`}`;
      const text = await served.get(`/v1/bars?${query}`);
      found.push(...read(text, 'json'));
      token = (JSON.parse(text) as { next_page_token: string | null }).next_page_token;
    }
    expect(differences(found, bars)).toEqual([]);
  });

  it('that matches nothing is a header alone as csv and empty as ndjson', async () => {
    expect(await served.get('/v1/bars?symbols=NOSUCH&format=csv')).toBe(
      'provider,symbol,interval,ts,open,high,low,close,volume\n',
    );
    expect(await served.get('/v1/bars?symbols=NOSUCH&format=ndjson')).toBe('');
  });

  it('whose readers hang up half-way leaves the service and its connections well', async () => {
    for (let round = 0; round < 15; round++) {
      const cut = request(`${served.service.url}/v1/bars?format=ndjson`, {
        headers: { authorization: `Bearer ${TOKENS.read}` },
      });
      cut.on('error', () => undefined);
      cut.end();
      const [answer] = (await once(cut, 'response')) as [IncomingMessage];
      answer.on('error', () => undefined);
      await once(answer, 'data');
      cut.destroy();
    }
    expect(differences(read(await served.get('/v1/bars?format=csv'), 'csv'), bars)).toEqual([]);
    const answer = await served.service.fetch('/healthz');
    expect(await answer.json()).toMatchObject({ ok: true, state: 'healthy' });
  });
});
