import type { TestDatabase } from './database.js';

/** The table of the earlier service, with the types that a test says otherwise. */
export interface LegacyTypes {
  readonly price?: string;
  readonly volume?: string;
  readonly interval?: string;
  readonly key?: string;
}

/** Makes the earlier service's table in an empty database. */
export async function createLegacyTable(test: TestDatabase, types: LegacyTypes = {}): Promise<void> {
  const {
    price = 'double precision',
    volume = price,
    interval = 'text',
    key = 'provider, symbol, interval, ts',
  } = types;
  await test.query(`
    CREATE TABLE bars_ohlcv (
      provider text NOT NULL, symbol text NOT NULL, interval ${interval} NOT NULL, ts timestamptz NOT NULL,
      open ${price}, high ${price}, low ${price}, close ${price}, volume ${volume},
      created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (${key})
    )`);
}

/** A row of that table; prices and volume as SQL has them. */
export interface LegacyRow {
  readonly provider?: string;
  readonly symbol?: string;
  readonly interval?: string;
  readonly ts?: string;
  readonly values?: string;
  readonly updated?: string;
}

/** Puts rows into the table, whatever its name is. */
export async function addLegacyRows(
  test: TestDatabase,
  rows: readonly LegacyRow[],
  table = 'bars_ohlcv',
): Promise<void> {
  for (const row of rows) {
    const {
      provider = 'ibkr',
      symbol = 'AAPL',
      interval = '1d',
      ts = '2024-01-02T00:00:00Z',
      values = '1, 3, 1, 2, 10',
      updated = '2024-02-01T00:00:00Z',
    } = row;
    await test.query(`INSERT INTO ${table} VALUES ($1, $2, $3, $4, ${values}, '2024-01-31T00:00:00Z', $5)`, [
      provider,
      symbol,
      interval,
      ts,
      updated,
    ]);
  }
}

/** Fills the table with one-minute bars of symbols `S0`, `S1` and so on. */
export async function fillLegacyTable(test: TestDatabase, symbols: number, bars: number): Promise<void> {
  await test.query(
    `INSERT INTO bars_ohlcv
     SELECT 'ibkr', 'S' || s, '1m', timestamptz '2024-01-02T00:00:00Z' + b * interval '1 minute',
            100 + b, 100 + b + 0.25, 100 + b - 0.25, 100 + b, s, '2024-02-01T00:00:00Z', '2024-02-02T00:00:00Z'
       FROM generate_series(0, $1::int - 1) AS s, generate_series(0, $2::int - 1) AS b`,
    [symbols, bars],
  );
}
