import { Logger, Module, type DynamicModule, type InjectionToken, type ModuleMetadata } from '@nestjs/common';

import type { Settings } from '../config/settings.js';
import { SETTINGS } from '../config/settings.config.js';
import { Metrics } from '../metrics/metrics.catalogue.js';
import { CoordinatorController } from './coordinator.controller.js';
import { coordinatorObserver, exposeCoordinator } from './coordinator.metrics.js';
import type { Entry, Sink } from './sink.js';
import { WriteCoordinator } from './write.coordinator.js';

/** Queue, workers, retry and circuit breaker in front of a sink. */
@Module({})
export class CoordinatorModule {
  /** @param sink token of the Sink to write to, which one of `imports` exports */
  static writingTo(sink: InjectionToken, imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: CoordinatorModule,
      global: true,
      imports,
      controllers: [CoordinatorController],
      providers: [
        {
          provide: WriteCoordinator,
          inject: [SETTINGS, sink, Metrics],
          useFactory: (settings: Settings, target: Sink<Entry, unknown>, metrics: Metrics) => {
            const coordinator = createCoordinator(settings, target, metrics);
            coordinator.start();
            return coordinator;
          },
        },
      ],
      exports: [WriteCoordinator],
    };
  }
}

function createCoordinator(
  settings: Settings,
  sink: Sink<Entry, unknown>,
  metrics: Metrics,
): WriteCoordinator<Entry, unknown> {
  const logger = new Logger('coordinator');
  const coordinator = new WriteCoordinator({
    ...settings.coordinator,
    retry: settings.retry,
    breaker: settings.breaker,
    sink,
    observer: coordinatorObserver(settings.coordinator.id, metrics, logger),
  });
  coordinator.onLevelChange(({ level, reason, size, capacity }) =>
    logger.log(`queue level is ${level} (${reason}): ${size} of ${capacity} rows`),
  );
  coordinator.onCircuitChange(({ state, previous }) =>
    logger.warn(`circuit to the database: ${previous} -> ${state}`),
  );
  exposeCoordinator(coordinator, metrics);
  return coordinator;
}
