import { Inject, Injectable } from '@nestjs/common';

import type { Settings } from './config/settings.js';
import { SETTINGS } from './config/settings.config.js';
import { EventStream } from './coordinator/event.stream.js';
import { feedbackMessage } from './coordinator/feedback/feedback.message.js';
import { FeedbackBus } from './coordinator/index.js';
import { Metrics } from './metrics/metrics.catalogue.js';
import { readOnScrape } from './metrics/read.on.scrape.js';
import { FeedbackHandler, TokenBucketRateController } from './rate-control/index.js';

const LEVEL_VALUES = { ok: 0, soft: 1, hard: 2 } as const;

/** Closes the loop: what the bus carries changes the rates, and both are shown to readers and in metrics. */
@Injectable()
export class FeedbackLoop {
  constructor(
    @Inject(SETTINGS) { rates }: Settings,
    bus: FeedbackBus,
    handler: FeedbackHandler,
    private readonly buckets: TokenBucketRateController,
    stream: EventStream,
    private readonly metrics: Metrics,
  ) {
    if (rates.enabled) bus.subscribe((event) => handler.handle(event));
    bus.subscribe((event) => {
      metrics.feedbackEvents.inc({ level: event.level });
      metrics.feedbackQueueDepth.set({ source: event.coordinator_id }, event.queue_size);
      stream.send('feedback', event.coordinator_id, feedbackMessage(event));
    });
    buckets.onAdjustment((adjustment) => stream.send('adjustment', adjustment.provider, adjustment));
    readOnScrape(metrics.rateScale, () => this.exposeRates());
    readOnScrape(metrics.backpressureState, () => this.exposeRates());
  }

  private exposeRates(): void {
    for (const { provider, scale, pressure } of this.buckets.entries()) {
      this.metrics.rateScale.set({ provider }, scale);
      this.metrics.backpressureState.set({ provider }, LEVEL_VALUES[pressure]);
    }
  }
}
