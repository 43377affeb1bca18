import { Global, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';

import { Metrics, startAtZero } from '../metrics/metrics.catalogue.js';
import { AllowedMethods } from './allowed.methods.js';
import { DrainState } from './drain.state.js';
import { PROBLEMS } from './problem.catalogue.js';
import { ProblemFilter } from './problem.filter.js';

/** What every request shares: problem documents, allowed methods, the drain state. */
@Global()
@Module({
  providers: [
    AllowedMethods,
    DrainState,
    {
      provide: ProblemFilter,
      inject: [AllowedMethods, Metrics],
      useFactory: (allowed: AllowedMethods, { requestsRefused }: Metrics) => {
        startAtZero(requestsRefused, 'code', Object.keys(PROBLEMS));
        return new ProblemFilter(allowed, (code) => requestsRefused.inc({ code }));
      },
    },
    { provide: APP_FILTER, useExisting: ProblemFilter },
  ],
  exports: [AllowedMethods, DrainState, ProblemFilter],
})
export class HttpModule {}
