import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

import { EventStream } from '../coordinator/event.stream.js';
import { FeedbackChannels } from '../coordinator/feedback.channels.js';

/** Whether events reach everybody outside; a way that is cut degrades and does not fail. */
@Injectable()
export class FeedbackIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly channels: FeedbackChannels,
    private readonly stream: EventStream,
  ) {}

  check(): HealthIndicatorResult {
    const { http, redis } = this.channels.health();
    const bus = this.indicators.check('feedback_bus');
    const details = { readers: this.stream.readerCount, ...http?.details };
    return {
      ...(http === undefined || http.state === 'healthy' ? bus.up(details) : bus.degraded(details)),
      ...(redis === undefined ? {} : this.redis(redis)),
    };
  }

  private redis({
    state,
    details,
  }: NonNullable<ReturnType<FeedbackChannels['health']>['redis']>): HealthIndicatorResult {
    const redis = this.indicators.check('redis');
    return state === 'healthy' ? redis.up(details) : redis.degraded(details);
  }
}
