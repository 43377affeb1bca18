import type { TestDatabase } from '../support/database.js';

/** A version of a bar: its close, and from when until when it stood; the last has no end. */
export type Version = [close: number, from: number, until: number | null];

/** The versions of a symbol's bar at `ts`, oldest first, in microseconds behind `start`. Both are Unix microseconds. */
export async function versionsOf(
  test: TestDatabase,
  symbol: string,
  ts: number,
  start: number,
): Promise<Version[]> {
  const rows = await test.query<{ close: number; from: string; until: string | null }>(
    `SELECT close, extract(epoch FROM received_at) * 1000000 AS from, extract(epoch FROM superseded_at) * 1000000 AS until
       FROM (SELECT series_id, ts, close, received_at, superseded_at FROM bar_revisions
             UNION ALL SELECT series_id, ts, close, received_at, NULL FROM bars) AS versions
       JOIN series ON series.id = series_id
      WHERE symbol = $1 AND ts = to_timestamp($2) ORDER BY received_at`,
    [symbol, ts / 1e6],
  );
  const offset = (text: string) => Math.round(Number(text)) - start;
  return rows.map(({ close, from, until }) => [close, offset(from), until === null ? null : offset(until)]);
}
