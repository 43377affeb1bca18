import 'reflect-metadata';

import { Logger, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import { AppModule } from './app.module.js';
import { BarsController } from './bars/bars.controller.js';
import { ingestDirectly } from './bars/bars.direct.js';
import { shortenIngest } from './bars/bars.route.js';
import { IngestService } from './bars/ingest/ingest.service.js';
import { loadEnvironmentFile } from './config/environment.file.js';
import { readSettings, type Settings } from './config/settings.js';
import { DEFAULT_ADMIN_TOKEN } from './config/token.settings.js';
import { TokenAuthenticator } from './config/token.authenticator.js';
import { SECOND } from './config/units.js';
import { VERSION } from './config/version.js';
import { Database } from './database/database.js';
import { tuneGarbageCollection } from './garbage.collection.js';
import { AllowedMethods } from './http/allowed.methods.js';
import { DrainState } from './http/drain.state.js';
import { createHttpAdapter, prepareHttp } from './http/http.server.js';
import { ProblemFilter } from './http/problem.filter.js';
import { RefusalPace } from './http/refusal.pace.js';
import { PinoLogger } from './logging/pino.logger.js';
import { measureHttp } from './metrics/http.metrics.js';
import { Metrics } from './metrics/metrics.catalogue.js';
import { serveOpenApi } from './openapi.js';

async function serve(): Promise<void> {
  tuneGarbageCollection();
  loadEnvironmentFile();
  const settings = readSettings(process.env);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, createHttpAdapter(), {
    abortOnError: false,
    bodyParser: false,
    logger: new PinoLogger({ level: settings.logLevel, json: settings.production }),
  });
  const server = app.getHttpAdapter().getInstance();
  prepareHttp(server, {
    allowedMethods: app.get(AllowedMethods),
    authenticator: app.get(TokenAuthenticator),
    drain: app.get(DrainState),
    filter: app.get(ProblemFilter),
  });
  const ingest = {
    authenticator: app.get(TokenAuthenticator),
    bars: app.get(BarsController),
    drain: app.get(DrainState),
    ingest: app.get(IngestService),
    filter: app.get(ProblemFilter),
    metrics: app.get(Metrics),
    pace: new RefusalPace(),
  };
  shortenIngest(server, ingest);
  ingestDirectly(server, ingest);
  measureHttp(server, app.get(Metrics));
  serveOpenApi(app);
  stopOnSignal(app, settings.shutdownTimeoutMs);
  try {
    await app.listen(settings.http.port, settings.http.host);
  } catch (error) {
    await app.close();
    throw error;
  }
  announce(await app.getUrl(), settings, app.get(Database).isOpen);
}

/** Stops in order and exits 0; a second signal, or the time-out, ends the process at once. */
function stopOnSignal(app: INestApplication, timeoutMs: number): void {
  const logger = new Logger('main');
  let stoppingSince: number | undefined;
  const stop = (signal: string): void => {
    // Ctrl-C reaches the service twice when npm started it: from the terminal, and from npm.
    if (stoppingSince !== undefined && Date.now() - stoppingSince < SECOND) return;
    if (stoppingSince !== undefined) process.exit(1);
    stoppingSince = Date.now();
    logger.log(`received ${signal}`);
    setTimeout(() => {
      logger.error(`the service did not stop within ${timeoutMs} ms and is ended`);
      process.exit(1);
    }, timeoutMs).unref();
    app.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** Tells a newcomer where everything is. A token that somebody chose is never printed. */
function announce(listeningAt: string, settings: Settings, ready: boolean): void {
  const base = listeningAt
    .replace('0.0.0.0', 'localhost')
    .replace('[::]', 'localhost')
    .replace('[::1]', 'localhost');
  const token =
    settings.tokens.admin === DEFAULT_ADMIN_TOKEN ? DEFAULT_ADMIN_TOKEN : 'the ADMIN_TOKEN you set';
  const logger = new Logger('main');
  logger.log(`market-data-store ${VERSION} ${ready ? 'is ready' : 'listens and waits for its database'}`);
  logger.log(`API      ${base}/v1/bars   (Authorization: Bearer ${token})`);
  logger.log(`Swagger  ${base}/docs`);
  logger.log(`Health   ${base}/healthz`);
}

try {
  await serve();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
