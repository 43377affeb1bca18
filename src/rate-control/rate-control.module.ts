import { Global, Logger, Module } from '@nestjs/common';

import type { Settings } from '../config/settings.js';
import { SETTINGS } from '../config/settings.config.js';
import { RATE_CONTROLLER, type RateController } from '../core/index.js';
import { PacedLine } from '../logging/paced.line.js';
import { AdjustmentLog } from './adjustment.log.js';
import { FeedbackHandler } from './feedback.handler.js';
import { LevelAggregator } from './level.aggregator.js';
import { RateCoordinatorAdapter } from './rate.coordinator.adapter.js';
import { RateControlController } from './rate-control.controller.js';
import { TokenBucketRateController } from './token.bucket.rate.controller.js';

/** Feedback in, rates out. */
@Global()
@Module({
  controllers: [RateControlController],
  providers: [
    {
      provide: TokenBucketRateController,
      inject: [SETTINGS],
      useFactory: ({ rates }: Settings) => {
        const logger = new Logger('rate-control');
        const full = new PacedLine<{ provider: string; limit: number }>((count, { provider, limit }) =>
          logger.warn(
            `${limit} providers have sent bars; ${provider} gets no entry: its bars are taken, and its scale is not told. ` +
              `It happened ${count} times since this was last said. Give each producer a token of its own (INGEST_TOKEN), ` +
              'and set a rate for providers that are to have an entry (MDP_RATE_PROVIDERS)',
          ),
        );
        const controller = new TokenBucketRateController({
          onFull: (provider, limit) => full.note({ provider, limit }),
        });
        for (const { provider, ...rate } of rates.registered) controller.register(provider, rate);
        return controller;
      },
    },
    // Another RateController takes the token buckets' place here.
    {
      provide: RATE_CONTROLLER,
      inject: [SETTINGS, TokenBucketRateController],
      useFactory: ({ rates }: Settings, buckets: TokenBucketRateController) =>
        rates.useCoreContracts ? buckets : new RateCoordinatorAdapter(buckets, rates.policy),
    },
    {
      provide: LevelAggregator,
      inject: [SETTINGS],
      useFactory: ({ feedback }: Settings) => new LevelAggregator({ heartbeatMs: feedback.heartbeatMs }),
    },
    {
      provide: FeedbackHandler,
      inject: [SETTINGS, RATE_CONTROLLER, TokenBucketRateController, LevelAggregator],
      useFactory: (
        { rates }: Settings,
        controller: RateController,
        buckets: TokenBucketRateController,
        aggregator: LevelAggregator,
      ) => {
        const logger = new Logger('rate-control');
        const handler = new FeedbackHandler({
          controller,
          providers: rates.providers,
          providersOf: () => buckets.scaled(),
          policy: rates.policy,
          aggregator,
          onError: (error, { provider }) =>
            logger.error(`${provider}: an adjustment failed: ${String(error)}`),
        });
        buckets.onRegistration((provider) => handler.follow(provider));
        buckets.onLoss((provider) => handler.forget(provider));
        const log = new AdjustmentLog(
          (provider) => typeof buckets.entry(provider)?.refill_rate === 'number',
          (line) => logger.log(line),
        );
        buckets.onAdjustment((adjustment) => log.note(adjustment));
        // Providers from the settings were registered before anybody listened.
        void handler.refresh();
        return handler;
      },
    },
  ],
  exports: [TokenBucketRateController, RATE_CONTROLLER, LevelAggregator, FeedbackHandler],
})
export class RateControlModule {}
