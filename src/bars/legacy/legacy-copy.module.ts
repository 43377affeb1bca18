import { Logger, Module, type OnApplicationBootstrap } from '@nestjs/common';

import type { Settings } from '../../config/settings.js';
import { SETTINGS } from '../../config/settings.config.js';
import { StopRequest } from '../../config/stop.request.js';
import { DurableCoordinator } from '../../coordinator/index.js';
import { Database } from '../../database/database.js';
import { DatabaseServer } from '../../database/database.server.js';
import { LEGACY } from '../../database/legacy/legacy.table.js';
import { PartitionStore } from '../../database/partition.store.js';
import { reasonOf } from '../../logging/error.text.js';
import { Metrics } from '../../metrics/metrics.catalogue.js';
import { SymbolCase } from '../symbol.case.js';
import { LegacyCopier, type LegacyObserver } from './legacy.copier.js';
import type { LegacyProgress } from './legacy.copy.js';

/** Copies the rows of an earlier release's table, from the start of the service to its end. */
@Module({
  providers: [
    {
      provide: LegacyCopier,
      inject: [DatabaseServer, PartitionStore, DurableCoordinator, Metrics, SETTINGS],
      useFactory: (
        server: DatabaseServer,
        partitions: PartitionStore,
        coordinator: DurableCoordinator<never, unknown>,
        metrics: Metrics,
        settings: Settings,
      ) =>
        new LegacyCopier({
          adminUrl: server.adminUrl,
          partitions,
          symbolCase: new SymbolCase(settings.caseSensitiveProviders),
          isBusy: () => coordinator.snapshot().level !== 'ok',
          observe: observer(new Logger('upgrade'), metrics),
        }),
    },
  ],
})
export class LegacyCopyModule implements OnApplicationBootstrap {
  constructor(
    private readonly copier: LegacyCopier,
    private readonly database: Database,
    private readonly stop: StopRequest,
  ) {}

  onApplicationBootstrap(): void {
    void this.copyWhenOpen();
  }

  private async copyWhenOpen(): Promise<void> {
    if (await this.database.untilOpen()) await this.copier.run(this.stop.signal);
  }
}

function observer(logger: Logger, metrics: Metrics): LegacyObserver {
  let lastFailure = '';
  return {
    counted: ({ copied, left, pending, reasons }) => {
      metrics.legacyRows.set({ state: 'copied' }, copied);
      metrics.legacyRows.set({ state: 'left' }, left);
      metrics.legacyRows.set({ state: 'pending' }, pending);
      for (const [reason, rows] of reasons) metrics.legacyRowsLeft.set({ reason }, rows);
    },
    told: (progress, rowsPerSecond) => tell(progress, rowsPerSecond, logger),
    failed: (error) => {
      const reason = reasonOf(error);
      if (reason !== lastFailure)
        logger.warn(`rows of ${LEGACY.adopted} cannot be copied now, trying again: ${reason}`);
      lastFailure = reason;
    },
  };
}

function tell(progress: LegacyProgress, rowsPerSecond: number | undefined, logger: Logger): void {
  const { completed, copied, left, pending, rounded, reasons } = progress;
  if (!completed) {
    const rate = rowsPerSecond === undefined ? '' : `, ${Math.round(rowsPerSecond)} a second`;
    logger.log(
      `${copied} rows of ${LEGACY.adopted} are copied${rate}; about ${Math.round(pending)} to come, ${left} left where they are`,
    );
    return;
  }
  logger.log(`all rows of ${LEGACY.adopted} that can be copied are: ${copied}`);
  if (rounded > 0)
    logger.warn(
      `${rounded} rows have a number of more digits than a float8 holds; ${LEGACY.adopted} has them all`,
    );
  if (left > 0) {
    const why = [...reasons].map(([reason, rows]) => `${rows} ${reason}`).join(', ');
    logger.warn(
      `${left} rows cannot be copied and stay in ${LEGACY.adopted}: ${why}; SELECT * FROM legacy_left names their series`,
    );
  }
}
