import type { Client } from 'pg';

import type { BarValues } from './bar.values.js';

/** Bars that are read at a time: a long run has millions of them. */
const READ = 20_000;
const VALUES = 'open, high, low, close, volume';
const micros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint::text`;
/** Text of a timestamptz that PostgreSQL reads back to the microsecond. */
const EXACT = "SET TimeZone = 'UTC'";

/** A version as it is known from a time on. Times are Unix microseconds. */
export interface KnownVersion extends BarValues {
  readonly receivedAt: number;
  /** When the next version took its place; undefined: it is stored. */
  readonly supersededAt: number | undefined;
}

/** A stored bar with its history. */
export interface StoredBar {
  readonly symbol: string;
  /** Epoch seconds. */
  readonly ts: number;
  /** The earliest first; the last is what is stored. */
  readonly versions: readonly KnownVersion[];
}

type Row = [
  ts: string,
  receivedAt: string,
  supersededAt: string | null,
  open: number,
  high: number,
  low: number,
  close: number,
  volume: number,
];

/** Every stored bar of a provider with its history, series by series, in the order of ts. */
export async function* readStoredBars(client: Client, provider: string): AsyncGenerator<StoredBar> {
  await client.query(EXACT);
  const { rows } = await client.query<{ id: number; symbol: string }>(
    'SELECT id, symbol FROM series WHERE provider = $1 ORDER BY id',
    [provider],
  );
  for (const { id, symbol } of rows) yield* readSeries(client, id, symbol);
}

async function* readSeries(client: Client, id: number, symbol: string): AsyncGenerator<StoredBar> {
  for (let after = '-infinity'; ;) {
    const { rows } = await client.query<Row>({
      text: `SELECT ts::text, ${micros('received_at')}, NULL, ${VALUES} FROM bars
              WHERE series_id = $1 AND ts > $2 ORDER BY ts LIMIT ${READ}`,
      values: [id, after],
      rowMode: 'array',
    });
    const last = rows.at(-1);
    if (!last) return;
    const earlier = await client.query<Row>({
      text: `SELECT ts::text, ${micros('received_at')}, ${micros('superseded_at')}, ${VALUES} FROM bar_revisions
              WHERE series_id = $1 AND ts > $2 AND ts <= $3 ORDER BY ts, received_at, superseded_at`,
      values: [id, after, last[0]],
      rowMode: 'array',
    });
    const histories = new Map<string, KnownVersion[]>();
    for (const row of earlier.rows) {
      const history = histories.get(row[0]);
      if (history) history.push(versionOf(row));
      else histories.set(row[0], [versionOf(row)]);
    }
    for (const row of rows) {
      const versions = [...(histories.get(row[0]) ?? []), versionOf(row)];
      yield { symbol, ts: Date.parse(row[0].replace(' ', 'T').replace(/\+00$/, 'Z')) / 1000, versions };
    }
    after = last[0];
  }
}

function versionOf([, receivedAt, supersededAt, open, high, low, close, volume]: Row): KnownVersion {
  return {
    receivedAt: Number(receivedAt),
    supersededAt: supersededAt === null ? undefined : Number(supersededAt),
    ...{ open, high, low, close, volume },
  };
}
