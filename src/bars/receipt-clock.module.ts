import { Global, Logger, Module } from '@nestjs/common';

import { StopRequest } from '../config/stop.request.js';
import { DurableCoordinator } from '../coordinator/index.js';
import { DatabaseClock } from '../database/database.clock.js';
import { DatabaseServer } from '../database/database.server.js';
import { Metrics } from '../metrics/metrics.catalogue.js';
import { exposeClock } from './clock.metrics.js';
import { ClockSync } from './clock.sync.js';
import { ReceiptClock } from './receipt.clock.js';

/** The clock of receipt. It has read PostgreSQL's clock, if the database answers, before the first bar is taken. */
@Global()
@Module({
  providers: [
    {
      provide: ReceiptClock,
      inject: [DurableCoordinator, Metrics],
      useFactory: (coordinator: DurableCoordinator<never, unknown>, metrics: Metrics) => {
        const clock = new ReceiptClock({ newest: () => coordinator.newestTime });
        exposeClock(clock, metrics);
        return clock;
      },
    },
    {
      provide: ClockSync,
      inject: [ReceiptClock, DatabaseServer, StopRequest],
      useFactory: async (clock: ReceiptClock, server: DatabaseServer, stop: StopRequest) => {
        const sync = new ClockSync({
          clock,
          server: new DatabaseClock(server.url),
          log: new Logger('clock'),
        });
        await Promise.race([sync.start(), stop.made]);
        return sync;
      },
    },
  ],
  exports: [ReceiptClock, ClockSync],
})
export class ReceiptClockModule {}
