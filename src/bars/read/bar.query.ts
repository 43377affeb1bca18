import type { SeriesFilter } from './series.filter.js';

/** A range of bars. Order: symbol, then time, then series. */
export interface BarQuery extends SeriesFilter {
  /** Unix epoch microseconds, inclusive. */
  readonly start?: number | undefined;
  /** Unix epoch microseconds, exclusive. */
  readonly end?: number | undefined;
  /** Direction of time; symbols always ascend. */
  readonly sort: 'asc' | 'desc';
}

/** The last bar that was handed out; reading goes on behind it. */
export interface BarPosition {
  readonly symbol: string;
  /** Unix epoch microseconds. */
  readonly ts: number;
  readonly seriesId: number;
}
