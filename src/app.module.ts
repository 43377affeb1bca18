import { Module, type DynamicModule } from '@nestjs/common';

import { BarSinkModule } from './bars/bar-sink.module.js';
import { MeteredBarSink } from './bars/bar.sink.metered.js';
import { barBatchCodec } from './bars/bar.batch.codec.js';
import { BarsModule } from './bars/bars.module.js';
import { LegacyCopyModule } from './bars/legacy/legacy-copy.module.js';
import { ConfigModule } from './config/config.module.js';
import { StopModule } from './config/stop.module.js';
import type { StopRequest } from './config/stop.request.js';
import { CoordinatorModule } from './coordinator/coordinator.module.js';
import { DatabaseModule } from './database/database.module.js';
import { FeedbackModule } from './coordinator/feedback.module.js';
import { ContractsModule } from './core/contracts.module.js';
import { FeedbackLoop } from './feedback.loop.js';
import { FeedbackParserModule } from './feedback.parser.module.js';
import { HealthModule } from './health/health.module.js';
import { HttpModule } from './http/http.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { RateControlModule } from './rate-control/rate-control.module.js';
import { ShutdownSequence } from './shutdown.sequence.js';

/** The service. */
@Module({
  imports: [
    ConfigModule,
    HttpModule,
    MetricsModule,
    DatabaseModule,
    CoordinatorModule.for({ sink: MeteredBarSink, codec: barBatchCodec, imports: [BarSinkModule] }),
    FeedbackParserModule,
    FeedbackModule,
    RateControlModule,
    BarsModule,
    LegacyCopyModule,
    HealthModule,
    ContractsModule,
  ],
  providers: [FeedbackLoop, ShutdownSequence],
})
export class AppModule {
  /** The service that `stop` stops, also while it starts. */
  static for(stop: StopRequest): DynamicModule {
    // Not global itself: its hooks come first at the end because it is nearest to the root.
    return { module: AppModule, imports: [StopModule.for(stop)] };
  }
}
