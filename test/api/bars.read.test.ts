import { beforeAll, describe, expect, it } from '@jest/globals';

import { bar, type Bar, read, ServedDatabase, TYPES, write } from './api.samples.js';

const served = new ServedDatabase();

const FIRST_MS = Date.UTC(2026, 0, 5);

/** Every combination of symbol, provider and interval has a bar at each of the same instants. */
const SYMBOLS = ['AAPL', 'BRK.B', 'BTC/USD', '^VIX'];
const TIMES = 13;
const series = SYMBOLS.flatMap((symbol) =>
  ['ibkr', 'polygon'].flatMap((provider) => ['1m', '1h'].map((interval) => ({ symbol, provider, interval }))),
);
const bars = series.flatMap((key, index) =>
  Array.from({ length: TIMES }, (_, at) =>
    bar({ ...key, ts: instant(at), open: 1, high: 1000, low: -1, close: index + at / 100, volume: at }),
  ),
);

function instant(at: number): string {
  return new Date(FIRST_MS + at * 60_000).toISOString().replace('.000', '');
}

function name({ symbol, ts, provider, interval }: Bar): string {
  return `${symbol} ${ts} ${provider} ${interval}`;
}

interface Page<Row> {
  readonly next_page_token: string | null;
  readonly bars: Row[];
  readonly series: Row[];
}

async function page(query: string): Promise<Page<Bar>> {
  return JSON.parse(await served.get(`/v1/bars?${query}`)) as Page<Bar>;
}

/** Follows the page tokens to the end. */
async function allPages(query: string, limit: number): Promise<Bar[][]> {
  const pages: Bar[][] = [];
  let token: string | null = null;
  do {
    const next: Page<Bar> = await page(
      `${query}&limit=${limit}${token === null ? '' : `&page_token=${token}`}`,
    );
    pages.push(next.bars);
    token = next.next_page_token;
  } while (token !== null && pages.length < 1_000);
  return pages;
}

async function refusal(path: string): Promise<{ status: number; code: unknown; errors: unknown }> {
  const answer = await served.service.fetch(path);
  const { code, errors } = (await answer.json()) as Record<string, unknown>;
  return { status: answer.status, code, errors };
}

beforeAll(async () => {
  // Neither in the order of the answers nor series by series.
  const shuffled = [...bars].sort(
    (a, b) => ((a.volume * 7) % 13) - ((b.volume * 7) % 13) || b.close - a.close,
  );
  const { json } = await served.service.post(write(shuffled, 'ndjson'));
  expect(json).toMatchObject({ inserted: bars.length });
});

describe('GET /v1/bars in pages', () => {
  it.each(['asc', 'desc'] as const)(
    'gives every bar exactly once, by symbol and then by time %s, whatever the limit',
    async (sort) => {
      const direction = sort === 'asc' ? 1 : -1;
      for (const limit of [1, 2, 3, 4, 5, 7, 13, 52, 207, 208, 209]) {
        const pages = await allPages(`sort=${sort}`, limit);
        expect(pages.slice(0, -1).every((one) => one.length === limit)).toBe(true);
        const found = pages.flat();
        expect(found.map(name).sort()).toEqual(bars.map(name).sort());
        const ordered = [...found].sort(
          (a, b) =>
            Number(a.symbol > b.symbol) - Number(a.symbol < b.symbol) ||
            direction * (Number(a.ts > b.ts) - Number(a.ts < b.ts)),
        );
        expect(found.map(name)).toEqual(ordered.map(name));
      }
    },
  );

  it.each(['asc', 'desc'])('gives the same %s order within one instant, whatever the limit', async (sort) => {
    const whole = (await page(`sort=${sort}&limit=10000`)).bars;
    expect((await allPages(`sort=${sort}`, 3)).flat()).toEqual(whole);
    expect((await allPages(`sort=${sort}`, 1)).flat()).toEqual(whole);
  });

  it('keeps to the filter and the range on every page', async () => {
    const query = `symbols=btc/usd,AAPL&provider=polygon&interval=1m&start=${instant(3)}&end=${instant(9)}`;
    const found = (await allPages(query, 4)).flat();
    const expected = bars.filter(
      (one) =>
        ['AAPL', 'BTC/USD'].includes(one.symbol) &&
        one.provider === 'polygon' &&
        one.interval === '1m' &&
        one.ts >= instant(3) &&
        one.ts < instant(9),
    );
    expect(found).toEqual(expected);
    expect(found).toHaveLength(12);
  });

  it('skips no bar when others are written between two pages', async () => {
    const first = await page('symbols=AAPL&provider=ibkr&interval=1m&limit=5');
    await served.service.post(
      write([bar({ symbol: 'AAPL', interval: '1m', ts: '2020-01-01T00:00:00Z' })], 'csv'),
      TYPES.csv,
    );
    const rest = await page(
      `symbols=AAPL&provider=ibkr&interval=1m&limit=100&page_token=${first.next_page_token}`,
    );
    expect([...first.bars, ...rest.bars].map(({ ts }) => ts)).toEqual(
      Array.from({ length: TIMES }, (_, at) => instant(at)),
    );
    await served.database.query("DELETE FROM bars WHERE ts < '2026-01-01'");
  });

  it('names the next page in a header with CSV and NDJSON', async () => {
    for (const format of ['csv', 'ndjson'] as const) {
      const answer = await served.service.fetch(`/v1/bars?format=${format}&limit=200`);
      const token = answer.headers.get('x-next-page-token') ?? '';
      const rest = await served.service.fetch(`/v1/bars?format=${format}&limit=200&page_token=${token}`);
      const both = [...read(await answer.text(), format), ...read(await rest.text(), format)];
      expect(both).toEqual((await page('limit=10000')).bars);
      expect(rest.headers.has('x-next-page-token')).toBe(false);
    }
  });

  it('reads on over more series than it looks up at once, of which some have no bars', async () => {
    const many = Array.from({ length: 600 }, (_, at) =>
      bar({ symbol: `MANY${String(at).padStart(3, '0')}`, provider: 'many', interval: '1d', ts: instant(0) }),
    );
    await served.service.post(write(many, 'csv'), TYPES.csv);
    await served.database.query(
      "DELETE FROM bars USING series WHERE id = series_id AND symbol IN ('MANY001', 'MANY255', 'MANY256')",
    );
    const kept = many.filter((_, at) => at !== 1 && at !== 255 && at !== 256);
    for (const limit of [7, 597, 598]) expect((await allPages('provider=many', limit)).flat()).toEqual(kept);
    const symbols = many.map((one) => one.symbol).join(',');
    expect((await allPages(`symbols=${symbols}`, 256)).flat()).toEqual(kept);
    const latest = JSON.parse(await served.get(`/v1/bars/latest?symbols=${symbols}`)) as Page<Bar>;
    expect(latest.bars.map(name)).toEqual(kept.map(name));
    await served.database.query("DELETE FROM bars USING series WHERE id = series_id AND provider = 'many'");
  });

  it('refuses tokens that it did not give', async () => {
    const forged = [
      ['AAPL', 1, 'x'],
      ['AAPL', 1],
      ['AAPL', 1.5, 1],
      ['AAPL', Number.MAX_SAFE_INTEGER, 1],
      ['AAPL', -Number.MAX_SAFE_INTEGER, 1],
      ['AAPL', 0, 2 ** 40],
      ['A\u0000', 0, 1],
      ['\ud800', 0, 1],
      { symbol: 'AAPL' },
    ].map((parts) => Buffer.from(JSON.stringify(parts)).toString('base64url'));
    for (const token of [...forged, '', 'x', '%00', '../..', 'é', 'A'.repeat(5_000)]) {
      const found = await refusal(`/v1/bars?page_token=${encodeURIComponent(token)}`);
      expect({ token, ...found }).toMatchObject({ token, status: 400, code: 'invalid-parameter' });
    }
  });
});

describe('GET /v1/bars', () => {
  it('answers 1000 bars when no limit is given, and an empty page when nothing matches', async () => {
    const many = Array.from({ length: 1_001 }, (_, at) =>
      bar({ symbol: 'MANY', interval: '1s', ts: instant(at) }),
    );
    await served.service.post(write(many, 'csv'), TYPES.csv);
    const found = await page('symbols=MANY');
    expect(found.bars).toEqual(many.slice(0, 1_000));
    expect(found.next_page_token).toMatch(/^[\w-]+$/);
    expect(await page('symbols=NOSUCH')).toEqual({ bars: [], next_page_token: null });
    await served.database.query("DELETE FROM bars USING series WHERE id = series_id AND symbol = 'MANY'");
  });

  it('takes a range with its start and without its end, in every way to write a time', async () => {
    const epoch = FIRST_MS / 1_000;
    const query = 'symbols=AAPL&provider=ibkr&interval=1m';
    const times = async (range: string): Promise<string[]> =>
      (await page(`${query}&${range}`)).bars.map(({ ts }) => ts);
    const expected = [instant(2), instant(3), instant(4)];
    expect(await times(`start=${instant(2)}&end=${instant(5)}`)).toEqual(expected);
    expect(await times(`start=${epoch + 120}&end=${epoch + 300}`)).toEqual(expected);
    expect(await times(`start=${epoch + 119.999999}&end=${epoch + 240.000001}`)).toEqual(expected);
    expect(await times('start=2026-01-05T05:32:00%2B05:30&end=2026-01-05T00:05:00.000Z')).toEqual(expected);
    expect(await times('start=2026-01-05&end=2026-01-06')).toHaveLength(TIMES);
    expect(await times('start=2026-01-06')).toEqual([]);
    expect(await times('end=2026-01-05')).toEqual([]);
    expect(await times(`start=${instant(2)}&end=${instant(2)}`)).toEqual([]);
    expect(await times(`start=${instant(12)}`)).toEqual([instant(12)]);
    expect(await times(`end=${instant(1)}`)).toEqual([instant(0)]);
  });

  it('takes timeframe for interval', async () => {
    const asInterval = await page('interval=1h&limit=500');
    expect(await page('timeframe=1h&limit=500')).toEqual(asInterval);
    expect(await page('timeframe=1h&interval=1h&limit=500')).toEqual(asInterval);
    expect(asInterval.bars).toHaveLength(104);
    expect(await refusal('/v1/bars?timeframe=1h&interval=1m')).toMatchObject({
      status: 400,
      code: 'invalid-parameter',
    });
  });

  it.each([
    ['text/csv', 'text/csv; charset=utf-8'],
    ['application/x-ndjson', 'application/x-ndjson; charset=utf-8'],
    ['application/json', 'application/json; charset=utf-8'],
    ['*/*', 'application/json; charset=utf-8'],
  ])('answers in the form that Accept: %s asks for', async (accept, type) => {
    const answer = await served.service.fetch('/v1/bars?limit=1', { headers: { accept } });
    expect(answer.headers.get('content-type')).toBe(type);
    const overruled = await served.service.fetch('/v1/bars?limit=1&format=csv', { headers: { accept } });
    expect(overruled.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=10001', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['sort=up', 'sort'],
    ['format=xml', 'format'],
    ['interval=1y', 'interval'],
    ['timeframe=0m', 'timeframe'],
    ['provider=a%20b', 'provider'],
    ["provider='", 'provider'],
    ['symbols=', 'symbols'],
    ['symbols=A,,B', 'symbols'],
    ['symbols=A&symbols=B', 'symbols'],
    ['symbols=A%20B', 'symbols'],
    ['symbols=%00', 'symbols'],
    [`symbols=${'A'.repeat(65)}`, 'symbols'],
    ['start=yesterday', 'start'],
    ['start=2026-01-05T00:00:00', 'start'],
    ['start=2026-02-30', 'start'],
    ['end=1767571200000', 'end'],
    ['end=NaN', 'end'],
    ['start=2026-01-06&end=2026-01-05', undefined],
    ['ends=2026-01-05', 'ends'],
    ['__proto__[limit]=1', '__proto__[limit]'],
  ])('refuses %s', async (query, parameter) => {
    const found = await refusal(`/v1/bars?${query}`);
    expect(found).toMatchObject({ status: 400, code: 'invalid-parameter' });
    if (parameter !== undefined) expect(found.errors).toMatchObject([{ parameter }]);
  });
});

describe('the newest bars and the list of series', () => {
  it('/v1/bars/latest gives the newest bar of each series with its age', async () => {
    const { bars: found } = JSON.parse(await served.get('/v1/bars/latest')) as Page<
      Bar & { age_seconds: number }
    >;
    expect(found.map(name).sort()).toEqual(
      bars
        .filter(({ ts }) => ts === instant(TIMES - 1))
        .map(name)
        .sort(),
    );
    for (const { ts, age_seconds: age } of found) {
      expect(Math.abs(age - (Date.now() - Date.parse(ts)) / 1_000)).toBeLessThan(5);
    }
    const filtered = JSON.parse(
      await served.get('/v1/bars/latest?symbols=aapl,^vix&provider=ibkr&interval=1h'),
    ) as Page<Bar>;
    expect(filtered.bars.map(({ symbol }) => symbol)).toEqual(['AAPL', '^VIX']);
    expect(JSON.parse(await served.get('/v1/bars/latest?symbols=NOSUCH'))).toEqual({
      bars: [],
      next_page_token: null,
    });
  });

  it('/v1/series lists them with their extent, in pages', async () => {
    const found: (typeof series)[number][] = [];
    let token: string | null = null;
    do {
      const query = `/v1/series?rows=true&limit=3${token === null ? '' : `&page_token=${token}`}`;
      const next = JSON.parse(await served.get(query)) as Page<(typeof series)[number]>;
      found.push(...next.series);
      token = next.next_page_token;
    } while (token !== null && found.length < 1_000);
    const extent = {
      id: expect.any(Number) as unknown,
      first_ts: instant(0),
      last_ts: instant(TIMES - 1),
      rows: TIMES,
    };
    const sorted = series.map((one) => ({ ...one, ...extent }));
    const keyOf = (one: (typeof series)[number]): string => `${one.symbol} ${one.provider} ${one.interval}`;
    sorted.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    expect(found).toEqual(sorted);
    expect(
      JSON.parse(await served.get('/v1/series?symbols=btc/usd&interval=1m&provider=ibkr&rows=true')),
    ).toEqual({
      series: [{ symbol: 'BTC/USD', provider: 'ibkr', interval: '1m', ...extent }],
      next_page_token: null,
    });
  });

  it('/v1/series refuses tokens that it did not give', async () => {
    for (const parts of [['A', 'b'], ['A', 'b', 1], ['A\u0000', 'b', '1d'], 7]) {
      const token = Buffer.from(JSON.stringify(parts)).toString('base64url');
      const found = await refusal(`/v1/series?page_token=${token}`);
      expect({ parts, ...found }).toMatchObject({ parts, status: 400, code: 'invalid-parameter' });
    }
  });
});

it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
  'a parameter with a name that every object has, %s, is refused as others are',
  async (name) => {
    const errors = [{ parameter: name, detail: 'is not a parameter here' }];
    for (const path of ['/v1/bars', '/v1/bars/latest', '/v1/series'])
      for (const query of [`${name}=1`, name, `limit=1&${name}=1&${name}=2`])
        expect(await refusal(`${path}?${query}`)).toMatchObject({ code: 'invalid-parameter', errors });
    const { status, json } = await served.service.post(write([bar()], 'json'), TYPES.json, `?${name}=1`);
    expect([status, json]).toEqual([400, expect.objectContaining({ errors })]);
  },
);
