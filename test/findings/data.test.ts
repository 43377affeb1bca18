import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { readExposition } from '../contract/exposition.js';
import { eventually } from '../support/eventually.js';
import { bar, type Bar, read, rowErrors, ServedDatabase, TYPES, write } from '../api/api.samples.js';

/** Of polygon, not of ibkr, symbols keep their case. */
const served = new ServedDatabase({ MDS_CASE_SENSITIVE_PROVIDERS: 'polygon' });
beforeEach(() => served.clear());

const HEADER = 'provider,symbol,interval,ts,open,high,low,close,volume';
const csv = (...rows: string[]) => `${[HEADER, ...rows].join('\n')}\n`;
const stored = async (): Promise<Bar[]> => read(await served.get('/v1/bars'), 'json');
const problemOf = async (path: string) => {
  const answer = await served.service.fetch(path);
  return { status: answer.status, ...((await answer.json()) as { code: string; detail: string }) };
};

describe('A1: a calendar date is no number of seconds', () => {
  it.each(['20240102', '18000101', '22001231', '45293', '2024', '0', '-999999'])(
    'and %s is refused with a hint, as CSV and as a JSON number',
    async (ts) => {
      for (const [body, type] of [
        [csv(`ibkr,AAPL,1d,${ts},1,2,1,2,10`), TYPES.csv],
        [write([bar()], 'json').replace('"2026-01-02T00:00:00Z"', ts), TYPES.json],
      ] as const) {
        const { status, json } = await served.service.post(body, type);
        expect([status, json.errors]).toEqual([
          422,
          [expect.objectContaining({ pointer: '/ts', code: 'ts-calendar-date' })],
        ]);
        expect(json.errors?.[0]?.['detail']).toMatch(/send a date as YYYY-MM-DD/);
      }
      expect(await stored()).toEqual([]);
    },
  );

  it.each(['1704153600', '20240100', '20241301', '-2208988800', '1000000'])(
    'and %s, which is none, is still taken',
    async (ts) => {
      const { status } = await served.service.post(csv(`ibkr,AAPL,1d,${ts},1,2,1,2,10`), TYPES.csv);
      expect(status).toBe(200);
      expect(await stored()).toMatchObject([
        { ts: new Date(Number(ts) * 1000).toISOString().replace('.000Z', 'Z') },
      ]);
    },
  );

  it.each([
    ['start=20240102', /start "20240102" is a date .* YYYY-MM-DD/],
    ['end=20260131', /end "20260131" is a date/],
    ['start=2024010214', /start "2024010214" is a date with a time of day/],
    ['start=1704153600000', /start "1704153600000" looks like milliseconds/],
    ['end=2024-01-02T00:00:00+02:00', /end .* in a URL a \+ is written %2B/],
    ['end=2024-01-02T00:00:00', /end "2024-01-02T00:00:00" has no time zone/],
    ['end=2024-13-01', /end "2024-13-01" is not a valid time/],
  ])('nor is it a bound: %s is refused with its value and a hint', async (query, detail) => {
    expect(await problemOf(`/v1/bars?${query}`)).toMatchObject({
      status: 400,
      code: 'invalid-parameter',
      detail: expect.stringMatching(detail) as unknown,
    });
  });
});

describe('A4: symbols that differ only in case', () => {
  const preferred = bar({ provider: 'polygon', symbol: 'BCpC', open: 0.4, high: 0.5, low: 0.3, close: 0.4 });
  const common = bar({ provider: 'polygon', symbol: 'BCPC', open: 157.1, high: 158, low: 157, close: 157.1 });
  const namesOf = (bars: readonly Pick<Bar, 'provider' | 'symbol'>[]) =>
    bars.map(({ provider, symbol }) => `${provider} ${symbol}`).toSorted();
  const asked = async (query: string) => namesOf(read(await served.get(`/v1/bars?${query}`), 'json'));

  it.each(['json', 'ndjson', 'csv'] as const)(
    'stay two of a provider that tells them apart, as %s',
    async (format) => {
      const { status, json } = await served.service.post(write([preferred, common], format), TYPES[format]);
      expect({ status, accepted: json['accepted'], inserted: json['inserted'] }).toEqual({
        ...{ status: 200, accepted: 2, inserted: 2 },
      });
      expect(await stored()).toEqual([common, preferred]);
      expect(read(await served.get('/v1/bars?format=csv'), 'csv')).toEqual([common, preferred]);
    },
  );

  it('are kept apart for one small body after the other', async () => {
    for (const one of [preferred, common]) {
      const answer = await served.service.fetch('/v1/bars', {
        method: 'POST',
        headers: { 'content-type': TYPES.ndjson },
        body: write([one], 'ndjson'),
      });
      expect(answer.status).toBe(202);
    }
    await eventually('both are stored', async () => (await stored()).length === 2);
    expect(await stored()).toEqual([common, preferred]);
  });

  it('are found as they are written, and in upper case of other providers', async () => {
    const others = [bar({ symbol: 'bcpc' }), bar({ provider: 'polygon', symbol: 'bcpc' })];
    await served.service.post(write([preferred, common, ...others], 'ndjson'));
    expect(await asked('symbols=BCpC&provider=polygon&interval=1d')).toEqual(['polygon BCpC']);
    expect(await asked('symbols=BCpC&provider=polygon')).toEqual(['polygon BCpC']);
    expect(await asked('symbols=BCPC&provider=polygon')).toEqual(['polygon BCPC']);
    expect(await asked('symbols=BCpC&provider=ibkr')).toEqual(['ibkr BCPC']);
    expect(await asked('symbols=BCpC')).toEqual(['ibkr BCPC', 'polygon BCpC']);
    expect(await asked('symbols=BCPC')).toEqual(['ibkr BCPC', 'polygon BCPC']);
    expect(await asked('symbols=BCPC,BCpC')).toEqual(['ibkr BCPC', 'polygon BCPC', 'polygon BCpC']);
    const latest = read(await served.get('/v1/bars/latest?symbols=BCpC'), 'json');
    expect(namesOf(latest)).toEqual(['ibkr BCPC', 'polygon BCpC']);
    const { series } = JSON.parse(await served.get('/v1/series?symbols=BCpC')) as { series: Bar[] };
    expect(namesOf(series)).toEqual(['ibkr BCPC', 'polygon BCpC']);
  });

  it('are all on some page', async () => {
    const symbols = ['BCPC', 'BCpC', 'bcpc'];
    await served.service.post(
      write(
        symbols.map((symbol) => bar({ provider: 'polygon', symbol })),
        'ndjson',
      ),
    );
    const seen: string[] = [];
    let token = '';
    do {
      const text = await served.get(`/v1/bars?symbols=${symbols.join(',')}&limit=1${token}`);
      const page = JSON.parse(text) as { bars: Bar[]; next_page_token: string | null };
      seen.push(...page.bars.map(({ symbol }) => symbol));
      token = page.next_page_token === null ? '' : `&page_token=${page.next_page_token}`;
    } while (token !== '');
    expect(seen).toEqual(symbols);
  });

  it.each(['json', 'ndjson', 'csv'] as const)('are refused of another provider, as %s', async (format) => {
    const body = write(
      [
        bar({ symbol: 'BCpC' }),
        bar({ symbol: 'BCPC', interval: '1m' }),
        bar({ symbol: 'BCpC', ts: '2026-01-03' }),
      ],
      format,
    );
    const answer = await served.service.post(body, TYPES[format]);
    expect([answer.status, ...rowErrors(answer)]).toEqual([422, '2 /symbol symbol-case-conflict']);
    expect(answer.json.errors?.[0]?.['detail']).toMatch(
      /^symbol "BCPC" is "BCpC" in an earlier row.* MDS_CASE_SENSITIVE_PROVIDERS/,
    );
    expect(await stored()).toEqual([]);
    const skipped = await served.service.post(body, TYPES[format], '?on_error=skip');
    expect([skipped.status, skipped.json['accepted'], skipped.json['rejected']]).toEqual([200, 2, 1]);
  });
});

describe('A8: an old file that is sent again after a correction', () => {
  const file = csv('ibkr,AAPL,1d,2026-01-02,1,2,1,2,10', 'ibkr,AAPL,1d,2026-01-05,1,2,1,2,10');
  const corrected = csv('ibkr,AAPL,1d,2026-01-02,1,2,1,2,11');

  it('reverts it, unless it is sent with on_conflict=keep', async () => {
    await served.service.post(file, TYPES.csv);
    await served.service.post(corrected, TYPES.csv);
    const kept = await served.service.post(file, TYPES.csv, '?on_conflict=keep');
    expect(kept.json).toMatchObject({ inserted: 0, updated: 0, unchanged: 1, superseded: 1 });
    expect(await stored()).toMatchObject([{ volume: 11 }, { volume: 10 }]);
    const reverted = await served.service.post(file, TYPES.csv);
    expect(reverted.json).toMatchObject({ inserted: 0, updated: 1, unchanged: 1, superseded: 0 });
    expect(await stored()).toMatchObject([{ volume: 10 }, { volume: 10 }]);
  });
});

describe('A9: fields and columns that no bar has', () => {
  // What is answered with 202 is written later: not while the next test looks.
  afterEach(() =>
    eventually('all bars are written', async () => {
      const { rows } = JSON.parse(await served.get('/v1/coordinator')) as { rows: { spooled: number } };
      return rows.spooled === 0;
    }),
  );

  const extended = { ...bar(), vwap: 1.75, trade_count: 12 };
  const names = ['vwap', 'trade_count'];
  const bodies = {
    csv: csv('ibkr,SPY,1d,2026-01-02,1,2,1,2,10')
      .replace('\n', ',vwap,trade_count\n')
      .replace(',10\n', ',10,1.75,12\n'),
    json: JSON.stringify({ bars: [extended, bar({ symbol: 'QQQ' })] }),
    ndjson: `${JSON.stringify(bar())}\n${JSON.stringify(extended)}\n`,
  };

  it.each(['json', 'ndjson', 'csv'] as const)('are named once, as %s', async (format) => {
    const { status, json } = await served.service.post(bodies[format], TYPES[format]);
    expect([status, json['ignored_fields'], json['ignored_fields_truncated']]).toEqual([200, names, false]);
    const durable = await served.service.post(bodies[format], TYPES[format], '?ack=durable');
    expect([durable.status, durable.json['ignored_fields']]).toEqual([202, names]);
  });

  it('are named to the sender of one small body, and none to the next', async () => {
    for (const [body, ignored] of [
      [extended, names],
      [extended, names],
      [bar(), []],
    ] as const) {
      const answer = await served.service.fetch('/v1/bars', {
        method: 'POST',
        headers: { 'content-type': TYPES.json },
        body: JSON.stringify(body),
      });
      expect([answer.status, await answer.json()]).toMatchObject([202, { ignored_fields: ignored }]);
    }
  });

  it('are named where a field is missing for a typing error', async () => {
    const { status, json } = await served.service.post(
      write([bar()], 'ndjson').replace('"close"', '"colse"'),
    );
    expect([status, json['ignored_fields']]).toEqual([422, ['colse']]);
  });
});

describe('A6: a symbol with a comma, which could not be asked for', () => {
  it.each(['json', 'ndjson', 'csv'] as const)('is refused as %s', async (format) => {
    const { status, json } = await served.service.post(
      write([bar({ symbol: 'SPY,QQQ' })], format),
      TYPES[format],
    );
    expect([status, json.errors?.[0]?.['code']]).toEqual([422, 'invalid-symbol']);
    expect(await stored()).toEqual([]);
  });

  it('leaves all other printable characters', async () => {
    const symbol = Array.from({ length: 94 }, (_, at) => String.fromCharCode(33 + at))
      .join('')
      .replace(',', '');
    const symbols = [symbol.slice(0, 32), symbol.slice(32)].map((text) => text.toUpperCase());
    await served.service.post(
      write(
        symbols.map((one) => bar({ symbol: one })),
        'ndjson',
      ),
    );
    const query = symbols.map(encodeURIComponent).join(',');
    expect(
      read(await served.get(`/v1/bars?symbols=${query}`), 'json')
        .map((one) => one.symbol)
        .toSorted(),
    ).toEqual(symbols.toSorted());
  });
});

describe('A3: rows with other values than those that are stored', () => {
  const counts = async (body: string, query = '') => {
    const { json } = await served.service.post(body, 'application/x-ndjson', query);
    const { accepted, inserted, updated, unchanged, superseded } = json;
    return { accepted, inserted, updated, unchanged, superseded };
  };

  it('are counted as superseded when a later line of the body replaced them', async () => {
    const lines = [bar({ close: 1 }), bar({ close: 2 }), bar({ close: 2 }), bar({ symbol: 'VOO' })];
    const expected = { accepted: 4, inserted: 2, updated: 0, unchanged: 1, superseded: 1 };
    expect(await counts(write(lines, 'ndjson'))).toEqual(expected);
    expect(await counts(write(lines, 'ndjson'))).toEqual({ ...expected, inserted: 0, unchanged: 3 });
  });

  it('are counted so when a version received later is stored', async () => {
    await served.service.post(write([bar({ close: 1 })], 'ndjson'));
    // As by another replica, half a minute from now: less than a minute is no version from the future.
    await served.database.query(`UPDATE bars SET received_at = clock_timestamp() + interval '30 seconds'`);
    expect(await counts(write([bar({ close: 2 })], 'ndjson'))).toEqual({
      ...{ accepted: 1, inserted: 0, updated: 0, unchanged: 0, superseded: 1 },
    });
    expect(await counts(write([bar({ close: 1 })], 'ndjson'))).toMatchObject({ unchanged: 1, superseded: 0 });
  });

  /** What becomes of lines for one bar, of which volume 3 is stored: unchanged and superseded. */
  const countsBeside3 = async (volumes: readonly number[], query = '') => {
    const lines = (all: readonly number[]) =>
      csv(...all.map((volume) => `ap,KD,1d,2024-01-02,1,2,1,2,${volume}`));
    await served.service.post(lines([3]), TYPES.csv);
    await served.database.query(`UPDATE bars SET received_at = clock_timestamp() + interval '40 seconds'`);
    const { json } = await served.service.post(lines(volumes), TYPES.csv, query);
    expect(await stored()).toMatchObject([{ volume: 3 }]);
    expect(json).toMatchObject({ accepted: volumes.length, inserted: 0, updated: 0 });
    return [json['unchanged'], json['superseded']];
  };

  it.each([
    [[4, 4], 0, 2],
    [[4, 3], 1, 1],
    [[4, 4, 3, 5], 1, 3],
    [[3, 4, 3], 2, 1],
  ])('are so when lines %j repeat a bar and the stored one wins', async (volumes, unchanged, superseded) => {
    expect(await countsBeside3(volumes)).toEqual([unchanged, superseded]);
    await served.clear();
    expect(await countsBeside3(volumes, '?on_conflict=keep')).toEqual([unchanged, superseded]);
  });

  it('are in the metrics once for each bar, not for each line', async () => {
    const committed = async () => {
      const exposition = readExposition(await (await served.service.fetch('/metrics')).text());
      return (outcome: string) => exposition.value('mds_rows_committed_total', { outcome }) ?? NaN;
    };
    const before = await committed();
    expect(await countsBeside3([4, 4, 3])).toEqual([1, 2]);
    const after = await committed();
    const rise = (outcome: string) => after(outcome) - before(outcome);
    expect(['inserted', 'updated', 'unchanged', 'superseded'].map(rise)).toEqual([1, 0, 1, 0]);
  });
});

describe('A5: prices that differ in the last place', () => {
  it('are taken, and stored as they came', async () => {
    const noisy = [
      bar({ open: 7.578763484954834, high: 7.578763484954833, low: 7.5, close: 7.55 }),
      bar({ symbol: 'LOW', open: 7.578763484954833, high: 8, low: 7.578763484954834, close: 7.7 }),
    ];
    for (const format of ['json', 'ndjson', 'csv'] as const) {
      await served.clear();
      const { json } = await served.service.post(write(noisy, format), TYPES[format]);
      expect(json).toMatchObject({ accepted: 2, rejected: 0 });
      expect(await stored()).toEqual(noisy.toReversed());
    }
  });

  it.each([
    [{ high: 7.578763484954 }, '1 /high prices-inconsistent'],
    [{ low: 7.5787634849549 }, '1 /low prices-inconsistent'],
  ])('and are refused when rounding does not explain it: %j', async (parts, error) => {
    const wrong = {
      ...bar({ open: 7.578763484954834, high: 9, low: 1, close: 7.578763484954834 }),
      ...parts,
    };
    expect(rowErrors(await served.service.post(write([wrong], 'ndjson')))).toEqual([error]);
  });
});
