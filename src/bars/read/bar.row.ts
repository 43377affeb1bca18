import type { SeriesKey } from '../series.key.js';
import { parseTimestamp } from '../timestamp.js';

/** A stored bar as it is read: one object a row, since reading is bounded by pages. */
export interface BarRow extends SeriesKey {
  readonly seriesId: number;
  /** Start of the bar, Unix epoch microseconds. */
  readonly ts: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

/** A bar as PostgreSQL sends it, with its time as ISO_TS gives it. */
export type StoredBar = Omit<BarRow, 'ts'> & { readonly ts: string };

/**
 * A bar's time in UTC as ISO 8601 without zone. As JSON, because that form depends on no setting of the session; the
 * number that extract() gives would cost more than all the rest of the row.
 */
export const ISO_TS = `to_json(ts AT TIME ZONE 'UTC')`;

/** The row of a stored bar. */
export function barRow(stored: StoredBar): BarRow {
  const ts = parseTimestamp(`${stored.ts}Z`);
  if (typeof ts !== 'number') throw new Error(`a stored bar has the time ${stored.ts}, which ${ts.reason}`);
  return { ...stored, ts };
}
