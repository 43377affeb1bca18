import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';

import type { Settings } from './config/settings.js';
import { SETTINGS } from './config/settings.config.js';
import { EventStream } from './coordinator/event.stream.js';
import type { RateAdjustment } from './core/index.js';
import { feedbackMessage } from './coordinator/feedback/feedback.message.js';
import { FeedbackBus, LevelSignaller } from './coordinator/index.js';
import { Metrics } from './metrics/metrics.catalogue.js';
import { readOnScrape } from './metrics/read.on.scrape.js';
import { FeedbackHandler, LevelAggregator, TokenBucketRateController } from './rate-control/index.js';

const LEVEL_VALUES = { ok: 0, soft: 1, hard: 2 } as const;

/** Closes the loop: what the bus carries changes the rates, and both are shown to readers and in metrics. */
@Injectable()
export class FeedbackLoop implements OnApplicationBootstrap {
  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly signaller: LevelSignaller,
    private readonly bus: FeedbackBus,
    private readonly aggregator: LevelAggregator,
    private readonly handler: FeedbackHandler,
    private readonly buckets: TokenBucketRateController,
    private readonly stream: EventStream,
    private readonly metrics: Metrics,
  ) {
    // Not waited for: one provider's controller that hangs would keep the others from their levels.
    if (settings.rates.enabled) bus.subscribe((event) => void handler.handle(event));
    bus.subscribe((event) => {
      metrics.feedbackEvents.inc({ level: event.level });
      if (!bus.isOutdated(event)) stream.send('feedback', event.coordinator_id, feedbackMessage(event));
    });
    buckets.onAdjustment((adjustment) => this.tellReaders(adjustment));
    // Told once also at full rate: a reader need not guess that silence means 1.
    const introduce = (provider: string) => {
      const { scale = 1, pressure: reason = 'ok' } = buckets.entry(provider) ?? {};
      if (scale === 1 && reason === 'ok')
        this.tellReaders({ provider, scale, reason, ts: Date.now() / 1000 });
    };
    buckets.names().forEach(introduce);
    buckets.onRegistration(introduce);
    readOnScrape(metrics.feedbackQueueDepth, () => this.exposeDepths());
    // Reset: a provider may have lost its entry.
    readOnScrape(metrics.rateScale, () => {
      metrics.rateScale.reset();
      for (const { provider, scale } of buckets.entries()) metrics.rateScale.set({ provider }, scale);
    });
    readOnScrape(metrics.backpressureState, () => {
      metrics.backpressureState.reset();
      for (const { provider, pressure } of buckets.entries())
        metrics.backpressureState.set({ provider }, LEVEL_VALUES[pressure]);
    });
  }

  /** Begins to signal when everybody who is to hear it listens, and before the first bar is taken. */
  onApplicationBootstrap(): void {
    if (this.settings.feedback.enabled) this.signaller.start();
  }

  /** Refuses the acquires that wait; from now on none waits. */
  refuseWaiting(): void {
    this.buckets.close();
  }

  /** Falls silent: no level is signalled, expires or is applied again by itself. */
  stop(): void {
    this.signaller.stop();
    this.handler[Symbol.dispose]();
    this.aggregator[Symbol.dispose]();
  }

  private tellReaders(adjustment: Pick<RateAdjustment, keyof RateAdjustment>): void {
    this.stream.send('adjustment', adjustment.provider, adjustment);
  }

  /** Those that the bus remembers: their number is bounded, and so is that of the labels. */
  private exposeDepths(): void {
    this.metrics.feedbackQueueDepth.reset();
    for (const { coordinator_id, queue_size } of this.bus.latest) {
      this.metrics.feedbackQueueDepth.set({ source: coordinator_id }, queue_size);
    }
  }
}
