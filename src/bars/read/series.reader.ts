import type { Database } from '../../database/database.js';
import type { SeriesKey } from '../series.key.js';
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

/** Reads which series there are. */
export class SeriesReader {
  constructor(private readonly database: Pick<Database, 'read'>) {}

  /** At most `limit` series behind `after`, sorted by symbol, provider, interval. */
  async list(filter: SeriesFilter, limit: number, after?: SeriesKey): Promise<SeriesExtent[]> {
    type Row = SeriesKey & Record<'firstTs' | 'lastTs' | 'rows', string>;
    const behind = [after?.symbol ?? null, after?.provider ?? null, after?.interval ?? null];
    const values = [...filterValues(filter), ...behind, limit];
    const { rows } = await this.database.read((client) => client.query<Row>(LIST, values));
    return rows.map((row) => ({
      ...row,
      firstTs: Number(row.firstTs),
      lastTs: Number(row.lastTs),
      rows: Number(row.rows),
    }));
  }
}
