import { Global, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';

import { AllowedMethods } from './allowed.methods.js';
import { DrainState } from './drain.state.js';
import { ProblemFilter } from './problem.filter.js';

/** What every request shares: problem documents, allowed methods, the drain state. */
@Global()
@Module({
  providers: [
    AllowedMethods,
    DrainState,
    {
      provide: ProblemFilter,
      inject: [AllowedMethods],
      useFactory: (allowed: AllowedMethods) => new ProblemFilter(allowed),
    },
    { provide: APP_FILTER, useExisting: ProblemFilter },
  ],
  exports: [AllowedMethods, DrainState, ProblemFilter],
})
export class HttpModule {}
