import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';

import { ClockIndicator } from './clock.indicator.js';
import { CoordinatorIndicator } from './coordinator.indicator.js';
import { DatabaseIndicator } from './database.indicator.js';
import { FeedbackIndicator } from './feedback.indicator.js';
import { HealthController } from './health.controller.js';
import { HealthReporter, type HealthCheck } from './health.reporter.js';
import { PrometheusIndicator } from './prometheus.indicator.js';
import { SpoolIndicator } from './spool.indicator.js';
import { RateControlIndicator } from './rate-control.indicator.js';

/** Terminus indicators mapped onto the Core HealthStatus. */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [
    DatabaseIndicator,
    PrometheusIndicator,
    CoordinatorIndicator,
    FeedbackIndicator,
    RateControlIndicator,
    SpoolIndicator,
    ClockIndicator,
    {
      provide: HealthReporter,
      inject: [
        DatabaseIndicator,
        PrometheusIndicator,
        CoordinatorIndicator,
        SpoolIndicator,
        ClockIndicator,
        FeedbackIndicator,
        RateControlIndicator,
      ],
      useFactory: (database: DatabaseIndicator, ...others: HealthCheck[]) =>
        new HealthReporter([database, ...others]),
    },
  ],
})
export class HealthModule {}
