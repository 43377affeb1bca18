import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { bar, type Bar, type Format, FORMATS, read, ServedDatabase, TYPES, write } from './api.samples.js';

const served = new ServedDatabase();
beforeEach(() => served.clear());

const DAY_MS = 86_400_000;

/** Bars of successive days whose numbers are any that a double can hold. */
function dailyBars(count: number): Bar[] {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true });
  const row = fc.tuple(number, number, number, number, number);
  return fc.sample(row, { numRuns: count, seed: 20_260_102 }).map(([a, b, c, d, volume], day) => {
    const [low = 0, open = 0, close = 0, high = 0] = [a, b, c, d].sort((x, y) => x - y);
    const ts = new Date(Date.UTC(2024, 0, 1) + day * DAY_MS).toISOString().replace('.000', '');
    return bar({ symbol: 'AAPL', ts, open, high, low, close, volume: Math.abs(volume) });
  });
}

/** `toEqual` takes -0 and 0 for different; every other double prints as itself. */
async function readBack(format: Format, query = 'symbols=AAPL'): Promise<Bar[]> {
  return read(await served.get(`/v1/bars?${query}&limit=1000&format=${format}`), format);
}

describe('500 daily bars of one symbol', () => {
  const bars = dailyBars(500);

  it.each(FORMATS)(
    'posted as %s come back bit-identical in every format, and a second time change nothing',
    async (format) => {
      const first = await served.service.post(write(bars, format), TYPES[format]);
      expect(first.status).toBe(200);
      expect(first.json).toMatchObject({ accepted: 500, inserted: 500, updated: 0, unchanged: 0 });
      expect(first.json).toMatchObject({ rejected: 0, errors: [], errors_truncated: false });
      for (const answered of FORMATS) expect(await readBack(answered)).toEqual(bars);

      const again = await served.service.post(write(bars, format), TYPES[format]);
      expect(again.status).toBe(200);
      expect(again.json).toMatchObject({ accepted: 500, inserted: 0, updated: 0, unchanged: 500 });
      expect(await served.stored()).toMatchObject({ bars: 500, revisions: 0 });
    },
  );

  it.each(FORMATS)(
    'with one close changed, as %s, update one and keep its earlier version',
    async (format) => {
      const plain = bars.map((one) => ({ ...one, open: 10, high: 20, low: 5, close: 15 }));
      await served.service.post(write(plain, format), TYPES[format]);
      const corrected = plain.map((one, day) => (day === 250 ? { ...one, close: 15.25 } : one));
      const { status, json } = await served.service.post(write(corrected, format), TYPES[format]);
      expect(status).toBe(200);
      expect(json).toMatchObject({ accepted: 500, inserted: 0, updated: 1, unchanged: 499 });
      expect(await readBack('json')).toEqual(corrected);

      const revisions = await served.database.query(
        `SELECT symbol, ts = $1 AS "sameTs", close, received_at < superseded_at AS lived
           FROM bar_revisions JOIN series ON series.id = series_id`,
        [plain[250]?.ts],
      );
      expect(revisions).toEqual([{ symbol: 'AAPL', sameTs: true, close: 15, lived: true }]);
    },
  );
});

describe('a bar', () => {
  const unusual = [
    bar({ symbol: 'OLD', ts: '1962-01-02T00:00:00Z' }),
    bar({ symbol: 'FAR', ts: '2199-12-31T00:00:00Z' }),
    bar({ symbol: 'FIRST', ts: '1800-01-01T00:00:00Z' }),
    bar({ symbol: 'LAST', ts: '2200-12-31T23:59:59.999999Z' }),
    bar({ symbol: 'BTC/USD', interval: '1m' }),
    bar({ symbol: 'BRK.B' }),
    bar({ symbol: '^GSPC' }),
    bar({ symbol: 'ES=F' }),
    bar({ symbol: 'O:SPY251219C00650000' }),
    bar({ symbol: 'CL', open: -37.63, high: 10.01, low: -40.32, close: -37.63 }),
    bar({ symbol: 'SPREAD', open: -2, high: -1, low: -3, close: -2 }),
    bar({ symbol: 'MICRO', ts: '2026-01-02T14:30:00.000001Z' }),
    bar({ symbol: 'MILLI', ts: '2026-01-02T14:30:00.125Z' }),
    bar({ symbol: 'BEFORE', ts: '1969-12-31T23:59:59.999999Z' }),
    bar({ symbol: 'X'.repeat(64), provider: `a.B_c-${'d'.repeat(58)}`, interval: '9999s' }),
  ];

  it.each(FORMATS)('of any age, name and sign comes back as it was sent as %s', async (format) => {
    const { json } = await served.service.post(write(unusual, format), TYPES[format]);
    expect(json).toMatchObject({ accepted: unusual.length, inserted: unusual.length });
    for (const answered of FORMATS) {
      for (const one of unusual) {
        const symbols = encodeURIComponent(one.symbol);
        expect(await readBack(answered, `symbols=${symbols}`)).toEqual([one]);
      }
    }
  });

  it('is stored under the upper-case symbol and the short interval, in UTC', async () => {
    const sent = { ...bar({ symbol: 'btc/usd', interval: '5min' }), ts: '2026-01-02T01:30:00.5+05:30' };
    await served.service.post(JSON.stringify(sent), TYPES.json);
    const expected = bar({ symbol: 'BTC/USD', interval: '5m', ts: '2026-01-01T20:00:00.500Z' });
    expect(await readBack('json', 'symbols=Btc/usd&interval=5min')).toEqual([expected]);
  });

  it('may be dated by a day or by epoch seconds of microsecond precision', async () => {
    const times = ['2026-01-02', 1767312000.000001, 1767312001];
    const body = times.map((ts) => JSON.stringify({ ...bar(), ts })).join('\n');
    expect((await served.service.post(body)).json).toMatchObject({ inserted: 3 });
    expect((await readBack('csv', 'symbols=SPY')).map(({ ts }) => ts)).toEqual([
      '2026-01-02T00:00:00Z',
      '2026-01-02T00:00:00.000001Z',
      '2026-01-02T00:00:01Z',
    ]);
  });

  it('sent twice in one body is stored once, as the later line has it', async () => {
    const body = write([bar({ close: 1 }), bar({ symbol: 'QQQ' }), bar({ close: 1.25 })], 'csv');
    const { json } = await served.service.post(body, TYPES.csv);
    expect(json).toMatchObject({ accepted: 3, inserted: 2, updated: 0, unchanged: 0, superseded: 1 });
    expect(await readBack('json', 'symbols=SPY')).toEqual([bar({ close: 1.25 })]);
    expect(await served.stored()).toMatchObject({ bars: 2, revisions: 0 });
  });
});

describe('a symbol made of SQL and COPY metacharacters', () => {
  const symbols = [
    "';DROP/**/TABLE/**/BARS;--",
    "'||(SELECT/**/1)||'",
    'A"B',
    '"',
    '""',
    "'",
    ';',
    'A;B',
    '\\.',
    '\\N',
    '\\\\',
    '\\T\\N',
    '%S',
    '%',
    '_',
    '$1',
    '$$',
    '{}',
    '{"A":1}',
    '[1]',
    '=CMD|A',
    'NULL',
    'NAN',
    '<SCRIPT>',
    '../../ETC',
    '#',
    '?&=',
  ];
  const bars = symbols.map((symbol) => bar({ symbol }));
  const sorted = [...bars].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));

  it.each(FORMATS)('sent as %s is stored and comes back intact in every format', async (format) => {
    const { status, json } = await served.service.post(write(bars, format), TYPES[format]);
    expect(status).toBe(200);
    expect(json).toMatchObject({ inserted: symbols.length });
    for (const answered of FORMATS) expect(await readBack(answered, 'provider=ibkr')).toEqual(sorted);
    const again = await served.service.post(write(bars, format), TYPES[format]);
    expect(again.json).toMatchObject({ unchanged: symbols.length });
  });

  it('is found by name', async () => {
    await served.service.post(write(bars, 'json'), TYPES.json);
    for (const symbol of symbols) {
      const found = await readBack('json', `symbols=${encodeURIComponent(symbol)}`);
      expect(found).toEqual([bar({ symbol })]);
    }
  });
});
