import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

import { FeedbackHandler, TokenBucketRateController } from '../rate-control/index.js';

/** Which level providers are told, and for how many it is enforced. */
@Injectable()
export class RateControlIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly handler: FeedbackHandler,
    private readonly buckets: TokenBucketRateController,
  ) {}

  check(): HealthIndicatorResult {
    const { level } = this.handler;
    const entries = this.buckets.entries();
    const limited = entries.filter(({ refill_rate }) => refill_rate !== null).length;
    const details = { level, providers: entries.length, with_rate: limited };
    const indicator = this.indicators.check('rate_control');
    if (level === 'ok') return indicator.up(details);
    return indicator.degraded({ ...details, message: `providers are told the ${level} scale` });
  }
}
