import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

import { Metrics } from '../metrics/metrics.catalogue.js';

/** Whether there is something to scrape. */
@Injectable()
export class PrometheusIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly metrics: Metrics,
  ) {}

  check(): HealthIndicatorResult {
    const metrics = this.metrics.count();
    const indicator = this.indicators.check('prometheus');
    return metrics > 0
      ? indicator.up({ metrics })
      : indicator.down({ metrics, message: 'no metric is registered' });
  }
}
