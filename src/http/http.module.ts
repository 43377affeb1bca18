import { Global, Module } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';

import { Metrics, startAtZero } from '../metrics/metrics.catalogue.js';
import { AllowedMethods } from './allowed.methods.js';
import { DrainState } from './drain.state.js';
import { PROBLEMS } from './problem.catalogue.js';
import { ProblemFilter } from './problem.filter.js';
import { QueryInterceptor } from './query.interceptor.js';

/** What every request shares: problem documents, allowed methods, what queries may have, the drain state. */
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
    { provide: APP_INTERCEPTOR, useClass: QueryInterceptor },
  ],
  exports: [AllowedMethods, DrainState, ProblemFilter],
})
export class HttpModule {}
