import type { Database } from '../../database/database.js';
import type { SeriesKey } from '../series.key.js';
import { barRow, ISO_TS, type BarRow, type StoredBar } from './bar.row.js';
import { filterValues, MATCHES_FILTER, type SeriesFilter } from './series.filter.js';

/** A series with the extent of its bars; times are Unix epoch microseconds. */
export interface SeriesExtent extends SeriesKey {
  readonly firstTs: number;
  readonly lastTs: number;
  readonly rows: number;
}

const epochMicros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint::text`;

/** A series that never got a bar (its first write failed) is not listed. */
const LIST = `
  SELECT provider, symbol, interval, ${epochMicros('first_ts')} AS "firstTs",
         ${epochMicros('last_ts')} AS "lastTs", rows::text AS rows
    FROM series CROSS JOIN LATERAL (
      SELECT min(ts) AS first_ts, max(ts) AS last_ts, count(*) AS rows FROM bars WHERE series_id = series.id
    ) AS extent
   WHERE ${MATCHES_FILTER} AND rows > 0
     AND ($4::text IS NULL OR (symbol COLLATE "C", provider, interval) > ($4, $5, $6))
   ORDER BY symbol COLLATE "C", provider, interval LIMIT $7`;

const LATEST = `
  SELECT id AS "seriesId", provider, symbol, interval, ${ISO_TS} AS ts, open, high, low, close, volume
    FROM series CROSS JOIN LATERAL (
      SELECT ts, open, high, low, close, volume FROM bars WHERE series_id = series.id ORDER BY ts DESC LIMIT 1
    ) AS newest
   WHERE ${MATCHES_FILTER}
   ORDER BY symbol COLLATE "C", provider, interval LIMIT $4`;

/** Answers questions about whole series. */
export class SeriesReader {
  constructor(private readonly database: Database) {}

  /** At most `limit` series behind `after`, sorted by symbol, provider, interval. */
  async list(filter: SeriesFilter, limit: number, after?: SeriesKey): Promise<SeriesExtent[]> {
    type Row = SeriesKey & Record<'firstTs' | 'lastTs' | 'rows', string>;
    const rows = await this.database.query<Row>(LIST, [
      ...filterValues(filter),
      after?.symbol ?? null,
      after?.provider ?? null,
      after?.interval ?? null,
      limit,
    ]);
    return rows.map((row) => ({
      ...row,
      firstTs: Number(row.firstTs),
      lastTs: Number(row.lastTs),
      rows: Number(row.rows),
    }));
  }

  /** The newest bar of each series, for at most `limit` series. */
  async latest(filter: SeriesFilter, limit: number): Promise<BarRow[]> {
    const rows = await this.database.query<StoredBar>(LATEST, [...filterValues(filter), limit]);
    return rows.map(barRow);
  }
}
