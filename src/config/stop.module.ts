import { Global, Module, type DynamicModule } from '@nestjs/common';

import { StopRequest } from './stop.request.js';

/** The wish to stop, for whatever waits. */
@Global()
@Module({})
export class StopModule {
  static for(stop: StopRequest): DynamicModule {
    return {
      module: StopModule,
      providers: [{ provide: StopRequest, useValue: stop }],
      exports: [StopRequest],
    };
  }
}
