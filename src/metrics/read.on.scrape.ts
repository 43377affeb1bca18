import type { Counter, Gauge } from 'prom-client';

/** Reads a value when a scrape asks for it, instead of on a timer. A read that rejects would fail the whole scrape. */
export function readOnScrape<Labels extends string>(
  metric: Gauge<Labels> | Counter<Labels>,
  read: () => void | Promise<void>,
): void {
  Object.assign(metric, { collect: read });
}
