import type { Metrics } from '../metrics/metrics.catalogue.js';

/** Most pairs of provider and interval that are told apart. */
export const MOST_PAIRS = 1_000;
const MICROS_PER_SECOND = 1_000_000;

/** Shows the newest bar of each provider and interval, as soon as it is committed. */
export class NewestBars {
  private readonly newest = new Map<string, number>();

  constructor(private readonly gauge: Metrics['lastBar']) {}

  /** There is a bar that starts at `ts`, Unix epoch microseconds. */
  note(provider: string, interval: string, ts: number): void {
    const name = `${provider} ${interval}`;
    if (ts <= (this.newest.get(name) ?? -Infinity)) return;
    // Names come from clients: without a bound they could make any number of time series.
    if (!this.newest.has(name) && this.newest.size >= MOST_PAIRS) return;
    this.newest.set(name, ts);
    this.gauge.set({ provider, interval }, ts / MICROS_PER_SECOND);
  }
}
