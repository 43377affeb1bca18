import { Logger, Module } from '@nestjs/common';

import type { Settings } from '../config/settings.js';
import { SETTINGS } from '../config/settings.config.js';
import { SECOND } from '../config/units.js';
import { DurableCoordinator } from '../coordinator/index.js';
import { Database } from '../database/database.js';
import { DrainState } from '../http/drain.state.js';
import { Metrics, startAtZero } from '../metrics/metrics.catalogue.js';
import { TokenBucketRateController } from '../rate-control/index.js';
import { BarSinkModule } from './bar-sink.module.js';
import type { BarBatch } from './bar.batch.js';
import { BarsController } from './bars.controller.js';
import { ROW_ERROR_CODES } from './decode/row-error.codes.js';
import { Admission } from './ingest/admission.js';
import { BodyDecoder } from './ingest/body.decoder.js';
import { IngestService } from './ingest/ingest.service.js';
import { BarExport } from './read/bar.export.js';
import { BarReader } from './read/bar.reader.js';
import { BarsAnswer } from './read/bars.answer.js';
import { BarsStream } from './read/bars.stream.js';
import { SeriesAnswer } from './read/series.answer.js';
import { SeriesReader } from './read/series.reader.js';
import { ReceiptClockModule } from './receipt-clock.module.js';
import { ReceiptClock } from './receipt.clock.js';
import { SeriesController } from './series.controller.js';
import { SymbolCase } from './symbol.case.js';
import type { WriteCounts } from './write.counts.js';

const STALL_LIMIT_MS = 60 * SECOND;

/** Bars over HTTP. */
@Module({
  imports: [BarSinkModule, ReceiptClockModule],
  controllers: [BarsController, SeriesController],
  providers: [
    {
      provide: SymbolCase,
      inject: [SETTINGS],
      useFactory: (settings: Settings) => new SymbolCase(settings.caseSensitiveProviders),
    },
    {
      provide: IngestService,
      inject: [DurableCoordinator, ReceiptClock, DrainState, TokenBucketRateController, SymbolCase, Metrics],
      useFactory: (
        coordinator: DurableCoordinator<BarBatch, WriteCounts>,
        clock: ReceiptClock,
        drain: DrainState,
        buckets: TokenBucketRateController,
        symbolCase: SymbolCase,
        { rowsRejected }: Metrics,
      ) => {
        startAtZero(rowsRejected, 'code', Object.keys(ROW_ERROR_CODES));
        return new IngestService(
          coordinator,
          clock,
          drain,
          new Admission(buckets, () => coordinator.retryAfterMs()),
          new BodyDecoder(symbolCase, (code, rows) => rowsRejected.inc({ code }, rows)),
        );
      },
    },
    {
      provide: BarsAnswer,
      inject: [Database, SymbolCase],
      useFactory: (database: Database, symbolCase: SymbolCase) =>
        new BarsAnswer(
          new BarReader(database),
          new BarsStream(new BarExport(database), {
            stallLimitMs: STALL_LIMIT_MS,
            onStalled: () =>
              new Logger('bars').warn(`an export of which nothing moved for ${STALL_LIMIT_MS} ms was cut`),
          }),
          symbolCase,
        ),
    },
    {
      provide: SeriesAnswer,
      inject: [Database, SymbolCase],
      useFactory: (database: Database, symbolCase: SymbolCase) =>
        new SeriesAnswer(new SeriesReader(database), symbolCase),
    },
  ],
})
export class BarsModule {}
