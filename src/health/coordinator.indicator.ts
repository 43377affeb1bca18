import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

import { DurableCoordinator } from '../coordinator/index.js';
import { reasonOf } from '../logging/error.text.js';

/** Whether bars flow: overload and an open circuit degrade it and do not fail it. */
@Injectable()
export class CoordinatorIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly coordinator: DurableCoordinator<never, unknown>,
  ) {}

  check(): HealthIndicatorResult {
    const { level, circuitState, circuitCause, queueSize, capacity, workersAlive } =
      this.coordinator.snapshot();
    const details = {
      level,
      circuit: circuitState,
      queue: `${queueSize} of ${capacity} rows`,
      workers: workersAlive,
    };
    const indicator = this.indicators.check('coordinator');
    if (workersAlive === 0) return indicator.down({ ...details, message: 'no worker is running' });
    if (level === 'ok' && circuitState === 'closed') return indicator.up(details);
    return indicator.degraded({
      ...details,
      message:
        circuitState === 'closed'
          ? `the queue is filling (${level})`
          : `nothing is written, as the database fails: ${reasonOf(circuitCause)}`,
    });
  }
}
