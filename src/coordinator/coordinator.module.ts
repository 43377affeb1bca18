import { join } from 'node:path';

import { Logger, Module, type DynamicModule, type InjectionToken, type ModuleMetadata } from '@nestjs/common';

import { DataDirectory } from '../config/data-directory.js';
import type { Settings } from '../config/settings.js';
import { SETTINGS } from '../config/settings.config.js';
import { Metrics } from '../metrics/metrics.catalogue.js';
import { CoordinatorController } from './coordinator.controller.js';
import { coordinatorObserver, exposeCoordinator, spoolObserver } from './coordinator.metrics.js';
import { DeadLetterQueue } from './dead-letters/dead.letter.queue.js';
import { DeadLettersController } from './dead-letters.controller.js';
import { DurableCoordinator } from './durable.coordinator.js';
import type { EntryCodec } from './durable.options.js';
import type { Entry, Sink } from './sink.js';
import type { Backlog } from './spool/backlog.js';
import type { RowTotals } from './spool/row.ledger.js';
import { Spool } from './spool/spool.js';

/** What flows through the coordinator, and where to. */
export interface CoordinatorFlow<T extends Entry, R> {
  /** Token of the Sink to write to, which one of `imports` exports. */
  readonly sink: InjectionToken;
  readonly codec: EntryCodec<T, R>;
  readonly imports: NonNullable<ModuleMetadata['imports']>;
}

/** Spool, queue, workers, retry, circuit breaker and dead letters in front of a sink. */
@Module({})
export class CoordinatorModule {
  static for<T extends Entry, R>({ sink, codec, imports }: CoordinatorFlow<T, R>): DynamicModule {
    return {
      module: CoordinatorModule,
      global: true,
      imports,
      controllers: [CoordinatorController, DeadLettersController],
      providers: [
        {
          provide: DurableCoordinator,
          inject: [SETTINGS, DataDirectory, sink, Metrics],
          useFactory: async (
            settings: Settings,
            directory: DataDirectory,
            target: Sink<T, R>,
            metrics: Metrics,
          ) => {
            const coordinator = await openCoordinator(settings, directory, target, codec, metrics);
            coordinator.start();
            return coordinator;
          },
        },
      ],
      exports: [DurableCoordinator],
    };
  }
}

async function openCoordinator<T extends Entry, R>(
  settings: Settings,
  directory: DataDirectory,
  sink: Sink<T, R>,
  codec: EntryCodec<T, R>,
  metrics: Metrics,
): Promise<DurableCoordinator<T, R>> {
  const logger = new Logger('coordinator');
  // The spool tells the coordinator when it is full, and the coordinator is made with the spool.
  const made: { coordinator?: DurableCoordinator<T, R> } = {};
  const spool = await Spool.open<T>({
    ...settings.spool,
    directory: join(directory.path, 'spool'),
    observer: spoolObserver(metrics, logger, (blocked) => made.coordinator?.setBlocked(blocked)),
  });
  const deadLetters = await DeadLetterQueue.open({
    directory: join(directory.path, 'dlq'),
    onQuarantine: (id, rows) => {
      spool.loseDeadLetter(rows);
      logger.error(
        `dead letter ${id} (${rows} rows) was damaged on disk and was put aside in dlq/quarantine`,
      );
    },
  });
  const coordinator = new DurableCoordinator({
    ...settings.coordinator,
    retry: settings.retry,
    breaker: settings.breaker,
    sink,
    codec,
    spool,
    deadLetters,
    observer: coordinatorObserver(settings.coordinator, metrics, logger),
  });
  made.coordinator = coordinator;
  reportLedger(coordinator.snapshot().rows, spool.recovered, logger);
  coordinator.onLevelChange(({ level, reason, size, capacity }) =>
    logger.log(`queue level is ${level} (${reason}): ${size} of ${capacity} rows`),
  );
  coordinator.onCircuitChange(({ state, previous }) =>
    logger.warn(`circuit to the database: ${previous} -> ${state}`),
  );
  exposeCoordinator(coordinator, metrics);
  return coordinator;
}

/** What the look at the segments at the start proved. */
function reportLedger(
  { accepted, committed, spooled, deadLettered, lost, unread, residual }: RowTotals,
  { records, rows }: Backlog,
  logger: Logger,
): void {
  if (records > 0)
    logger.log(`the spool holds ${rows} rows of ${records} batches from before; they are written now`);
  const sum = `${accepted} rows accepted = ${committed} committed + ${spooled} spooled + ${deadLettered} dead-lettered + ${lost} lost + ${unread} unread + ${residual} residual`;
  if (residual === 0) logger.log(`the ledger agrees with the segments: ${sum}`);
  else logger.error(`the ledger does not agree with the segments, ${residual} rows are missing: ${sum}`);
}
