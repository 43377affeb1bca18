import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

import { ReceiptClock } from '../bars/receipt.clock.js';

/** Beyond it somebody should look after a clock. */
const LARGE_SECONDS = 1;

/** Whether the clocks agree with PostgreSQL's, by which bars are ordered; one that does not degrades and does not fail. */
@Injectable()
export class ClockIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly clock: ReceiptClock,
  ) {}

  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('clock');
    const now = this.clock.compare();
    if (now === undefined)
      return indicator.degraded({
        message:
          "PostgreSQL's clock has not been read since the start: times of receipt follow this machine's clock",
      });
    const { machineAheadSeconds: machine, receiptAheadSeconds: receipt } = now;
    const details = {
      machine_ahead_seconds: machine.toFixed(3),
      receipt_ahead_seconds: receipt.toFixed(3),
      read_seconds_ago: String(Math.round(now.ageSeconds)),
    };
    if (receipt > LARGE_SECONDS)
      return indicator.degraded({
        ...details,
        message: `times of receipt are ${receipt.toFixed(1)} s ahead of PostgreSQL's clock until it has caught up: until then corrections sent here win over later ones sent to other replicas`,
      });
    if (Math.abs(machine) > LARGE_SECONDS)
      return indicator.degraded({
        ...details,
        message: `this machine's clock is ${Math.abs(machine).toFixed(1)} s ${machine > 0 ? 'ahead of' : 'behind'} PostgreSQL's: set the clock that is wrong; times of receipt follow PostgreSQL's`,
      });
    return indicator.up(details);
  }
}
