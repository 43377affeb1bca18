import { Logger, Module } from '@nestjs/common';

import { Database } from '../database/database.js';
import { PartitionStore } from '../database/partition.store.js';
import { reasonOf } from '../logging/error.text.js';
import { Metrics } from '../metrics/metrics.catalogue.js';
import { MeteredBarSink } from './bar.sink.metered.js';
import { BarSink } from './bar.sink.js';
import { NewestBars } from './newest.bars.js';
import { SeriesStore } from './series.store.js';
import { watchSeries } from './series.watch.js';

/** The way from the coordinator into PostgreSQL. */
@Module({
  providers: [
    {
      provide: MeteredBarSink,
      inject: [Database, PartitionStore, Metrics],
      useFactory: (database: Database, partitions: PartitionStore, metrics: Metrics) => {
        const newest = new NewestBars(metrics.lastBar);
        void watchSeries({
          database,
          newest,
          gauge: metrics.seriesByAge,
          onFailure: (error) =>
            new Logger('bars').warn(
              `mds_series_by_age is left out, it could not be read: ${reasonOf(error)}`,
            ),
        });
        return new MeteredBarSink(
          new BarSink(database, new SeriesStore(), partitions, {
            tried: (lane, rows, seconds, ok) => {
              metrics.barsWritten.inc({ method: lane, status: ok ? 'success' : 'failure' }, rows);
              metrics.barsWriteLatency.observe({ method: lane }, seconds);
            },
            dated: (versions) => {
              metrics.barsFromFuture.inc(versions);
              new Logger('bars').warn(
                `${versions} stored versions had a time of receipt more than a minute ahead of PostgreSQL's clock and gave way to versions received now; check the clocks of the services and of PostgreSQL`,
              );
            },
          }),
          metrics,
          newest,
        );
      },
    },
  ],
  exports: [MeteredBarSink],
})
export class BarSinkModule {}
