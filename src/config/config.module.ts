import { Global, Logger, Module } from '@nestjs/common';
import { ConfigModule as NestConfigModule } from '@nestjs/config';
import { APP_GUARD } from '@nestjs/core';

import { PacedLine } from '../logging/paced.line.js';
import { AdminTokenGuard } from './admin-token.guard.js';
import type { Settings } from './settings.js';
import { SETTINGS, settingsConfig } from './settings.config.js';
import { DataDirectory } from './data-directory.js';
import { TokenAuthenticator } from './token.authenticator.js';

/** The settings, the data directory, and the guard on every handler. */
@Global()
@Module({
  imports: [NestConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [settingsConfig] })],
  providers: [
    {
      provide: TokenAuthenticator,
      inject: [SETTINGS],
      useFactory: (settings: Settings) => {
        const logger = new Logger('access');
        const line = new PacedLine<string>((count, address) =>
          logger.warn(`requests with an unknown token: ${count}, the last of them from ${address}`),
        );
        return new TokenAuthenticator(settings.tokens, (address) => line.note(address));
      },
    },
    {
      // Held from here on: spool and embedded database are for one process.
      provide: DataDirectory,
      inject: [SETTINGS],
      useFactory: (settings: Settings) => DataDirectory.acquire(settings.dataDirectory),
    },
    { provide: APP_GUARD, useClass: AdminTokenGuard },
  ],
  exports: [TokenAuthenticator, DataDirectory],
})
export class ConfigModule {}
