import type { Database } from '../../database/database.js';
import type { SeriesKey } from '../series.key.js';
import { filterValues, MATCHES_FILTER, type SeriesFilter } from './series.filter.js';

/** A series with the extent of its bars; times are Unix epoch microseconds. */
export interface SeriesExtent extends SeriesKey {
  readonly id: number;
  readonly firstTs: number;
  readonly lastTs: number;
  /** Undefined when they were not counted. */
  readonly rows: number | undefined;
}

const epochMicros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint::text`;

/**
 * The first and the last bar are one entry of the index each, in one partition after the other. Nothing else may be asked
 * of the bars there: min and max beside another aggregate read all of them. A series that never got a bar (its first
 * write failed) is not listed.
 */
const LIST = `
  SELECT id, provider, symbol, interval, ${epochMicros('first_ts')} AS "firstTs",
         ${epochMicros('last_ts')} AS "lastTs",
         CASE WHEN $10 THEN (SELECT count(*) FROM bars WHERE series_id = series.id)::text END AS rows
    FROM series CROSS JOIN LATERAL (
      SELECT min(ts) AS first_ts, max(ts) AS last_ts FROM bars WHERE series_id = series.id
    ) AS extent
   WHERE ${MATCHES_FILTER} AND first_ts IS NOT NULL
     AND ($6::text IS NULL OR (symbol COLLATE "C", provider, interval) > ($6, $7, $8))
   ORDER BY symbol COLLATE "C", provider, interval LIMIT $9`;

/** Reads which series there are. */
export class SeriesReader {
  constructor(private readonly database: Pick<Database, 'read'>) {}

  /**
   * At most `limit` series behind `after`, sorted by symbol, provider, interval. To count their bars, all of them are
   * read; without that the cost does not depend on their number.
   */
  async list(
    filter: SeriesFilter,
    limit: number,
    after: SeriesKey | undefined,
    counted: boolean,
  ): Promise<SeriesExtent[]> {
    interface Row extends SeriesKey {
      readonly id: number;
      readonly firstTs: string;
      readonly lastTs: string;
      readonly rows: string | null;
    }
    const behind = [after?.symbol ?? null, after?.provider ?? null, after?.interval ?? null];
    const values = [...filterValues(filter), ...behind, limit, counted];
    const { rows } = await this.database.read((client) => client.query<Row>(LIST, values));
    return rows.map((row) => ({
      ...row,
      firstTs: Number(row.firstTs),
      lastTs: Number(row.lastTs),
      rows: row.rows === null ? undefined : Number(row.rows),
    }));
  }
}
