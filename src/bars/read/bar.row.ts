import type { SeriesKey } from '../series.key.js';

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

/** A bar as PostgreSQL sends it: an int8 comes as text. */
export type StoredBar = Omit<BarRow, 'ts'> & { readonly ts: string };
