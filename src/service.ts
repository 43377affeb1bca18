import 'reflect-metadata';

import type { AddressInfo } from 'node:net';

import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import { announce } from './announcement.js';
import { AppModule } from './app.module.js';
import { BarsController } from './bars/bars.controller.js';
import { ingestDirectly } from './bars/bars.direct.js';
import { shortenIngest } from './bars/bars.route.js';
import { IngestService } from './bars/ingest/ingest.service.js';
import { loadEnvironmentFile } from './config/environment.file.js';
import { readSettings } from './config/settings.js';
import { StopRequest } from './config/stop.request.js';
import { TokenAuthenticator } from './config/token.authenticator.js';
import { Database } from './database/database.js';
import { StartCancelledError } from './database/embedded/index.js';
import { tuneGarbageCollection } from './garbage.collection.js';
import { STARTING_PROBES } from './health/starting.probes.js';
import { AllowedMethods } from './http/allowed.methods.js';
import { ConnectionLimit } from './http/connection.limit.js';
import { DrainState } from './http/drain.state.js';
import { EarlyServer } from './http/early.server.js';
import { createHttpAdapter, prepareHttp } from './http/http.server.js';
import { ProblemFilter } from './http/problem.filter.js';
import { RefusalPace } from './http/refusal.pace.js';
import { PinoLogger } from './logging/pino.logger.js';
import { measureHttp } from './metrics/http.metrics.js';
import { Metrics } from './metrics/metrics.catalogue.js';
import { serveOpenApi } from './openapi.js';
import { obeySignals } from './stop.signals.js';

/** Resolves when the service has stopped in order. */
async function serve(): Promise<void> {
  tuneGarbageCollection();
  loadEnvironmentFile();
  const settings = readSettings(process.env);
  const logger = new PinoLogger({ level: settings.logLevel, json: settings.production });
  Logger.overrideLogger(logger);
  const stop = new StopRequest(settings.shutdownTimeoutMs);
  // Before anything is started: what is half started must end in order too.
  obeySignals(stop);
  const adapter = createHttpAdapter();
  const server = adapter.getInstance();
  const connections = new ConnectionLimit(settings.http.mostConnections);
  connections.watch(server.server);
  // Before the database: a port that is taken must be told before anything is started or changed.
  const early = await EarlyServer.listen(server.server, settings.http, STARTING_PROBES);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.for(stop), adapter, {
    abortOnError: false,
    bodyParser: false,
    logger,
  });
  prepareHttp(server, {
    allowedMethods: app.get(AllowedMethods),
    authenticator: app.get(TokenAuthenticator),
    connections,
    drain: app.get(DrainState),
    filter: app.get(ProblemFilter),
  });
  const ingest = {
    authenticator: app.get(TokenAuthenticator),
    bars: app.get(BarsController),
    connections,
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
  try {
    if (!stop.signal.aborted) {
      await app.init();
      await server.ready();
      early.open();
      announce(server.server.address() as AddressInfo, settings, app.get(Database).isOpen);
      await stop.made;
    }
  } finally {
    await app.close();
  }
}

try {
  await serve();
  process.exit(0);
} catch (error) {
  if (error instanceof StartCancelledError) {
    new Logger('main').log('stopped before the database was there');
    process.exit(0);
  }
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
