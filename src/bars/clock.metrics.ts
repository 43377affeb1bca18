import type { Metrics } from '../metrics/metrics.catalogue.js';
import { readOnScrape } from '../metrics/read.on.scrape.js';
import type { ReceiptClock } from './receipt.clock.js';

/** Lets every scrape compare the clocks as they are then; NaN until PostgreSQL's clock was read. */
export function exposeClock(clock: ReceiptClock, metrics: Metrics): void {
  readOnScrape(metrics.clockOffset, () =>
    metrics.clockOffset.set(clock.compare()?.machineAheadSeconds ?? Number.NaN),
  );
  readOnScrape(metrics.receiptClockAhead, () =>
    metrics.receiptClockAhead.set(clock.compare()?.receiptAheadSeconds ?? Number.NaN),
  );
}
