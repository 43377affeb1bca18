import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

import { DurableCoordinator, type Isolation } from '../coordinator/index.js';
import { reasonOf } from '../logging/error.text.js';

/** Whether bars flow: overload, an open circuit and rows that are refused degrade it and do not fail it. */
@Injectable()
export class CoordinatorIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly coordinator: DurableCoordinator<never, unknown>,
  ) {}

  check(): HealthIndicatorResult {
    const { level, circuitState, circuitCause, isolation, queueSize, capacity, workersAlive } =
      this.coordinator.snapshot();
    const details = {
      level,
      circuit: circuitState,
      queue: `${queueSize} of ${capacity} rows`,
      workers: workersAlive,
      isolated: `${isolation.rows} rows, of which ${isolation.waitingRows} wait`,
    };
    const indicator = this.indicators.check('coordinator');
    if (workersAlive === 0) return indicator.down({ ...details, message: 'no worker is running' });
    if (level === 'ok' && circuitState === 'closed' && isolation.rows === 0) return indicator.up(details);
    const messages = [
      ...(circuitState === 'closed'
        ? []
        : [`nothing is written, as the database fails: ${reasonOf(circuitCause)}`]),
      ...(circuitState === 'closed' && level !== 'ok' ? [`the queue is filling (${level})`] : []),
      ...(isolation.rows > 0 ? [isolationMessage(isolation)] : []),
    ];
    return indicator.degraded({ ...details, message: messages.join('; ') });
  }
}

function isolationMessage({ rows, waitingRows, cause }: Isolation): string {
  return waitingRows > 0
    ? `${waitingRows} rows wait while others are written: ${reasonOf(cause)}`
    : `${rows} rows that were refused with others are tried apart`;
}
