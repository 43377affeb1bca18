import { Global, Module } from '@nestjs/common';
import { ConfigModule as NestConfigModule } from '@nestjs/config';
import { APP_GUARD } from '@nestjs/core';

import { AdminTokenGuard } from './admin-token.guard.js';
import type { Settings } from './settings.js';
import { SETTINGS, settingsConfig } from './settings.config.js';
import { TokenAuthenticator } from './token.authenticator.js';

/** The settings and the guard on every handler. */
@Global()
@Module({
  imports: [NestConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [settingsConfig] })],
  providers: [
    {
      provide: TokenAuthenticator,
      inject: [SETTINGS],
      useFactory: (settings: Settings) => new TokenAuthenticator(settings.tokens),
    },
    { provide: APP_GUARD, useClass: AdminTokenGuard },
  ],
  exports: [TokenAuthenticator],
})
export class ConfigModule {}
