import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, type PoolClient } from 'pg';

import { SeriesReader } from '../../src/bars/read/series.reader.js';
import { bar, ServedDatabase, TYPES, write } from '../api/api.samples.js';

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
