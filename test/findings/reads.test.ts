import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, type PoolClient } from 'pg';

import { SeriesReader } from '../../src/bars/read/series.reader.js';
import { bar, type Bar, type Format, read, ServedDatabase, TYPES, write } from '../api/api.samples.js';
import { post, RawClient } from '../support/raw.client.js';
import { TOKENS } from '../support/service.js';

const served = new ServedDatabase();

const minuteAt = (at: number): string =>
  new Date(Date.UTC(2025, 11, 31) + at * 60_000).toISOString().replace('.000', '');

describe('D2: the list of series', () => {
  const BARS = 5_000;
  let client: Client;

  beforeAll(async () => {
    // Over a turn of the year: in two partitions.
    const many = Array.from({ length: BARS }, (_, at) =>
      bar({ symbol: 'MANY', interval: '1m', ts: minuteAt(at) }),
    );
    const few = [bar({ symbol: 'FEW', interval: '1m', ts: minuteAt(1) })];
    const { json } = await served.service.post(write([...many, ...few], 'csv'), TYPES.csv);
    expect(json).toMatchObject({ inserted: BARS + 1 });
    client = new Client({ connectionString: served.database.url });
    await client.connect();
  });
  afterAll(() => client.end());

  /** Entries of the indexes of `bars` that `work` reads. */
  async function entriesRead(work: (reader: SeriesReader) => Promise<unknown>): Promise<number> {
    await client.query('BEGIN');
    const count = async (): Promise<number> => {
      const { rows } = await client.query<{ read: number }>(
        `SELECT sum(pg_stat_get_xact_tuples_returned(oid))::int AS read FROM pg_class WHERE relname LIKE 'bars\\_2%'`,
      );
      return rows[0]?.read ?? NaN;
    };
    const before = await count();
    await work(new SeriesReader({ read: (read) => read(client as unknown as PoolClient) }));
    const after = await count();
    await client.query('ROLLBACK');
    return after - before;
  }

  it('reads the first and the last bar of each series from the index, and no other', async () => {
    const read = await entriesRead((reader) => reader.list({}, 10, undefined, false));
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(10);
    expect(await entriesRead((reader) => reader.list({}, 10, undefined, true))).toBeGreaterThan(BARS);
  });

  it('tells how many bars there are when rows=true asks for it', async () => {
    const extents = [
      { symbol: 'FEW', first_ts: minuteAt(1), last_ts: minuteAt(1) },
      { symbol: 'MANY', first_ts: minuteAt(0), last_ts: minuteAt(BARS - 1) },
    ].map((one) => ({ id: expect.any(Number), provider: 'ibkr', interval: '1m', ...one }));
    for (const query of ['', '?rows=false'])
      expect(JSON.parse(await served.get(`/v1/series${query}`))).toEqual({
        series: extents,
        next_page_token: null,
      });
    const counted = extents.map((one, at) => ({ ...one, rows: at === 0 ? 1 : BARS }));
    expect(JSON.parse(await served.get('/v1/series?rows=true'))).toEqual({
      series: counted,
      next_page_token: null,
    });
    const answer = await served.service.fetch('/v1/series?rows=yes');
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      400,
      'invalid-parameter',
    ]);
  });

  it('names the id under which a series has its bars', async () => {
    const { series } = JSON.parse(await served.get('/v1/series?symbols=FEW')) as { series: { id: number }[] };
    const [row] = await served.database.query<{ id: number }>(`SELECT id FROM series WHERE symbol = 'FEW'`);
    expect(series).toMatchObject([{ id: row?.id }]);
  });
});

describe('A7: the newest bars', () => {
  const nameOf = ({ symbol, provider, interval }: Bar): string => `${symbol} ${provider} ${interval}`;

  /** Follows the tokens to the end; the names of the series on each page. */
  async function pagesOf(query: string, format: Format): Promise<string[][]> {
    const pages: string[][] = [];
    let token: string | null = null;
    do {
      const path = `/v1/bars/latest?format=${format}&${query}${token === null ? '' : `&page_token=${token}`}`;
      const answer: Response = await served.service.fetch(path);
      const text = await answer.text();
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toContain(TYPES[format]);
      const rows = format === 'csv' ? csvRows(text) : read(text, format);
      pages.push(rows.map(nameOf));
      token =
        format === 'json'
          ? (JSON.parse(text) as { next_page_token: string | null }).next_page_token
          : answer.headers.get('x-next-page-token');
    } while (token !== null && pages.length < 100);
    return pages;
  }

  /** Bars from a CSV with their age, which is a column more than they are sent with. */
  function csvRows(text: string): Bar[] {
    const [header, ...lines] = text.trimEnd().split('\n');
    expect(header).toBe('provider,symbol,interval,ts,open,high,low,close,volume,age_seconds');
    return lines.map((line) => {
      const [provider, symbol, interval, ts, ...numbers] = line.split(',');
      expect(numbers.map(Number).filter(Number.isFinite)).toHaveLength(6);
      return bar({ provider, symbol, interval, ts } as Partial<Bar>);
    });
  }

  it('come in pages that end anywhere, also between series of one symbol, in every format', async () => {
    await served.clear();
    const keys = ['A', 'B', 'C'].flatMap((symbol) =>
      ['p', 'q'].flatMap((provider) => ['1d', '1h'].map((interval) => ({ symbol, provider, interval }))),
    );
    const bars = keys.flatMap((key) => [0, 1].map((at) => bar({ ...key, ts: minuteAt(60 * 24 * at) })));
    await served.service.post(write(bars, 'ndjson'));
    // Series that never got a bar, or lost all of them, are not on any page.
    await served.database.query(
      `DELETE FROM bars USING series WHERE id = series_id AND symbol = 'B' AND provider = 'p'`,
    );
    const names = keys.map((key) => nameOf(bar(key))).filter((name) => !name.startsWith('B p'));
    for (const format of ['json', 'ndjson', 'csv'] as const)
      for (const limit of [1, 3, 9, 10, 11]) {
        const pages = await pagesOf(`limit=${limit}`, format);
        expect(pages.flat()).toEqual(names);
        expect(pages.slice(0, -1).every((page) => page.length === limit)).toBe(true);
      }
    expect((await pagesOf('limit=2&symbols=a,c&interval=1h', 'json')).flat()).toEqual(
      names.filter((name) => name.endsWith('1h') && !name.startsWith('B')),
    );
  });

  it('are all told, however many series there are', async () => {
    await served.clear();
    const many = Array.from({ length: 10_001 }, (_, at) => bar({ symbol: `S${at}`, provider: 'many' }));
    await served.service.post(write(many, 'csv'), TYPES.csv);
    const pages = await pagesOf('limit=10000&provider=many', 'ndjson');
    expect(pages.map((page) => page.length)).toEqual([10_000, 1]);
    expect(new Set(pages.flat()).size).toBe(10_001);
    expect((await pagesOf('provider=many', 'json')).map((page) => page.length)).toEqual([
      ...Array.from({ length: 10 }, () => 1_000),
      1,
    ]);
  });

  it('behind a token are those behind its series, whatever the filter', async () => {
    await served.clear();
    const keys = ['p', 'q'].map((provider) => ({ symbol: 'A', provider, interval: '1d' }));
    await served.service.post(
      write(
        keys.map((key) => bar(key)),
        'ndjson',
      ),
    );
    const { next_page_token: token } = JSON.parse(await served.get('/v1/bars/latest?limit=1')) as {
      next_page_token: string;
    };
    const one = (provider: string) =>
      pagesOf(`symbols=A&interval=1d&provider=${provider}&page_token=${token}`, 'json');
    expect(await one('p')).toEqual([[]]);
    expect(await one('q')).toEqual([['A q 1d']]);
  });

  it('are refused with a token or a limit that cannot be', async () => {
    for (const query of ['limit=0', 'limit=10001', 'format=xml', 'page_token=x', 'page_token=WyJBIiwxLDFd']) {
      const answer = await served.service.fetch(`/v1/bars/latest?${query}`);
      const { code } = (await answer.json()) as { code: string };
      expect({ query, status: answer.status, code }).toEqual({
        query,
        status: 400,
        code: 'invalid-parameter',
      });
    }
  });
});

describe('A10: an export that is too much for one body', () => {
  const small = new ServedDatabase({ MDS_COORDINATOR_CAPACITY: '1000', MDS_COORDINATOR_BATCH_SIZE: '1000' });
  const bars = Array.from({ length: 1_500 }, (_, at) =>
    bar({ symbol: 'MANY', interval: '1m', ts: minuteAt(at) }),
  );

  it.each(['ndjson', 'csv'] as const)(
    'of %s is refused with the limit and the way, and goes back so',
    async (format) => {
      for (const part of [bars.slice(0, 1_000), bars.slice(1_000)])
        await small.service.post(write(part, format), TYPES[format]);
      const exported = await small.get(`/v1/bars?format=${format}`);
      const { status, json } = await small.service.post(exported, TYPES[format]);
      expect([status, json.code]).toEqual([413, 'body-too-large']);
      expect(json['detail']).toBe(
        'The body has more than 1,000 bars, the most that one body may have. Send it in parts: cut NDJSON between lines, and CSV too, with its header line again in each part.',
      );

      const [header = '', ...rows] = format === 'csv' ? exported.split('\n') : ['', ...exported.split('\n')];
      for (const part of [rows.slice(0, 1_000), rows.slice(1_000)]) {
        const again = await small.service.post([header, ...part].join('\n'), TYPES[format]);
        expect(again.json).toMatchObject({ rejected: 0, inserted: 0, updated: 0, superseded: 0 });
      }
      expect(await small.stored()).toMatchObject({ bars: 1_500, revisions: 0 });
    },
  );

  it('and one of too many bytes names that limit', async () => {
    const client = await RawClient.to(small.service.url);
    // Refused for what it announces: a client that sends on may lose the answer.
    const headers = { authorization: `Bearer ${TOKENS.admin}`, 'content-type': TYPES.ndjson };
    await client.send(post('/v1/bars', { ...headers, 'content-length': String(64 * 1024 * 1024 + 1) }));
    const [answer = ''] = await client.answers();
    client.socket.destroy();
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain(
      'A body may have 67,108,864 bytes here. Send it in parts: cut NDJSON between lines',
    );
  });

  it('and one that is too long when it is inflated names that limit', async () => {
    const body = gzipSync(Buffer.alloc(64 * 1024 * 1024 + 1, '\n'), { level: 1 });
    const { status, json } = await small.service.post(body, TYPES.ndjson, '', { 'content-encoding': 'gzip' });
    expect([status, json.code]).toEqual([413, 'body-too-large']);
    expect(json['detail']).toContain(
      'The body has more than 67,108,864 bytes when it is inflated. Send it in parts',
    );
  });

  it('while a document that is too long is not told how to cut bars', async () => {
    const answer = await small.service.fetch('/v1/feedback', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: ' '.repeat(64 * 1024 + 1),
    });
    expect([answer.status, ((await answer.json()) as { detail: string }).detail]).toEqual([
      413,
      'A body may have 65,536 bytes here.',
    ]);
  });
});
