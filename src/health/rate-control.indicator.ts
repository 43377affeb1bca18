import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

import { FeedbackHandler, TokenBucketRateController } from '../rate-control/index.js';

/** At which level providers are held. */
@Injectable()
export class RateControlIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly handler: FeedbackHandler,
    private readonly buckets: TokenBucketRateController,
  ) {}

  check(): HealthIndicatorResult {
    const { level } = this.handler;
    const details = { level, providers: this.buckets.names().length };
    const indicator = this.indicators.check('rate_control');
    if (level === 'ok') return indicator.up(details);
    return indicator.degraded({ ...details, message: `providers are held at the ${level} scale` });
  }
}
