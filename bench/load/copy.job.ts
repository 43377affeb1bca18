import { once } from 'node:events';
import { finished } from 'node:stream/promises';

import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

import {
  type BarBlock,
  type BarInterval,
  PROVIDER,
  rowsOf,
  symbolName,
  textCopyBatches,
  tupleBatches,
  YEAR,
} from '../data/bar.block.js';

/** Bars written into PostgreSQL without the service: data ready, series known, one COPY a batch. */
export interface CopyOptions {
  readonly databaseUrl: string;
  readonly block: BarBlock;
  readonly connections: number;
  /**
   * - `bars`: binary COPY straight into `bars`;
   * - `partition`: the same into the partition of the year;
   * - `merge`: binary COPY into a temporary table and one statement that inserts or updates and files what it replaces;
   * - `earlier`: text COPY into the earlier table layout.
   */
  readonly into: 'bars' | 'partition' | 'merge' | 'earlier';
  readonly interval?: BarInterval;
}

/** What it took. */
export interface CopyResult {
  readonly rows: number;
  readonly seconds: number;
}

/** The earlier table, without what it may have held. */
export const CREATE_EARLIER = `
  DROP TABLE IF EXISTS bars_earlier;
  CREATE TABLE bars_earlier (
    provider text NOT NULL, symbol text NOT NULL, interval text NOT NULL, ts timestamptz NOT NULL,
    open float8, high float8, low float8, close float8, volume float8,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, symbol, interval, ts)
  )`;

const CREATE_STAGING = `
  CREATE TEMPORARY TABLE IF NOT EXISTS bench_staging (
    series_id int, ts timestamptz, open float8, high float8, low float8, close float8, volume float8,
    received_at timestamptz
  ) ON COMMIT DELETE ROWS`;

/**
 * The strongest plain merge we know: one pass over the key, in order; what is newer and differs is updated, and what
 * it replaces is filed (RETURNING old is new in PostgreSQL 18). Nothing is counted, no order of receipt is mended.
 */
const MERGE = `
  WITH written AS (
    INSERT INTO bars AS stored (series_id, ts, open, high, low, close, volume, received_at)
    SELECT * FROM bench_staging ORDER BY series_id, ts
    ON CONFLICT (series_id, ts) DO UPDATE
       SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
           volume = excluded.volume, received_at = excluded.received_at
     WHERE excluded.received_at > stored.received_at
       AND (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
           IS DISTINCT FROM (stored.open, stored.high, stored.low, stored.close, stored.volume)
    RETURNING old.series_id, old.ts, old.open, old.high, old.low, old.close, old.volume, old.received_at,
              new.received_at AS superseded_at
  )
  INSERT INTO bar_revisions (series_id, ts, open, high, low, close, volume, received_at, superseded_at)
  SELECT * FROM written WHERE series_id IS NOT NULL`;

const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);
const CHUNK_BYTES = 131_072;

/** Writes a block. */
export async function copy(options: CopyOptions): Promise<CopyResult> {
  const { block, connections, databaseUrl, into, interval = '1m' } = options;
  const clients = Array.from({ length: connections }, () => new pg.Client({ connectionString: databaseUrl }));
  const [first] = clients;
  if (first === undefined) throw new Error('copying needs a connection');
  await Promise.all(clients.map((client) => client.connect()));
  try {
    const batches =
      into === 'earlier'
        ? textCopyBatches(block)
        : tupleBatches(block, await seriesIds(first, block.symbols, interval), Date.now() * 1_000, interval);
    let next = 0;
    const start = performance.now();
    await Promise.all(
      clients.map(async (client) => {
        for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) {
          await WAYS[into](client, batch);
        }
      }),
    );
    return { rows: rowsOf(block), seconds: (performance.now() - start) / 1_000 };
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

const WAYS: Record<CopyOptions['into'], (client: pg.Client, batch: Buffer) => Promise<void>> = {
  bars: (client, batch) => send(client, 'COPY bars FROM STDIN (FORMAT binary)', [HEADER, batch, TRAILER]),
  partition: (client, batch) =>
    send(client, `COPY bars_${YEAR} FROM STDIN (FORMAT binary)`, [HEADER, batch, TRAILER]),
  earlier: (client, batch) =>
    send(
      client,
      'COPY bars_earlier (provider, symbol, interval, ts, open, high, low, close, volume) FROM STDIN',
      [batch],
    ),
  merge: async (client, batch) => {
    await client.query('BEGIN');
    await client.query(CREATE_STAGING);
    await send(client, 'COPY bench_staging FROM STDIN (FORMAT binary)', [HEADER, batch, TRAILER]);
    await client.query(MERGE);
    await client.query('COMMIT');
  },
};

async function send(client: pg.Client, sql: string, parts: readonly Buffer[]): Promise<void> {
  const stream = client.query(copyFrom(sql));
  const done = finished(stream);
  done.catch(() => undefined);
  for (const part of parts) {
    for (let at = 0; at < part.length; at += CHUNK_BYTES) {
      if (!stream.write(part.subarray(at, at + CHUNK_BYTES))) {
        await Promise.race([once(stream, 'drain'), done]);
      }
    }
  }
  stream.end();
  await done;
}

/** Makes the series that are missing. @returns the id of each symbol */
async function seriesIds(client: pg.Client, symbols: number, interval: BarInterval): Promise<Int32Array> {
  const names = Array.from({ length: symbols }, (_, symbol) => symbolName(symbol));
  await client.query(
    `INSERT INTO series (provider, symbol, interval) SELECT $1, name, $2 FROM unnest($3::text[]) AS name
     ON CONFLICT DO NOTHING`,
    [PROVIDER, interval, names],
  );
  const { rows } = await client.query<{ id: number; symbol: string }>(
    'SELECT id, symbol FROM series WHERE provider = $1 AND interval = $2',
    [PROVIDER, interval],
  );
  const ids = new Map(rows.map(({ id, symbol }) => [symbol, id]));
  return Int32Array.from(names, (name) => ids.get(name) ?? 0);
}
