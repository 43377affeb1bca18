/** What identifies a series of bars. Every part is in its stored form (symbol upper-case, interval as `5m`). */
export interface SeriesKey {
  readonly provider: string;
  readonly symbol: string;
  readonly interval: string;
}
