import { join } from 'node:path';

import { Global, Logger, Module } from '@nestjs/common';
import { TypeOrmModule, getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';

import { dataSourceOptions } from '../../ormconfig.js';
import { DataDirectory } from '../config/data-directory.js';
import type { Settings } from '../config/settings.js';
import { SETTINGS } from '../config/settings.config.js';
import { StopRequest } from '../config/stop.request.js';
import { SECOND } from '../config/units.js';
import { reasonOf } from '../logging/error.text.js';
import { Metrics } from '../metrics/metrics.catalogue.js';
import { Database, type DatabaseObserver } from './database.js';
import { exposeDatabase } from './database.metrics.js';
import { DatabasePing } from './database.ping.js';
import { DatabaseServer } from './database.server.js';
import type { Adoption } from './legacy/legacy.adoption.js';
import { LEGACY } from './legacy/legacy.table.js';
import { PartitionStore } from './partition.store.js';
import { SchemaMigrator } from './schema.migrator.js';
import { SILENT_LOGGER } from './silent.logger.js';

/** The server, embedded or not. Apart, because TypeORM's module needs its URL. */
@Global()
@Module({
  providers: [
    {
      provide: DatabaseServer,
      inject: [SETTINGS, DataDirectory, StopRequest],
      useFactory: (settings: Settings, directory: DataDirectory, stop: StopRequest) => {
        const logger = new Logger('postgres');
        return DatabaseServer.start({
          ...settings.database,
          embeddedDirectory: join(directory.path, 'postgres'),
          log: (message) => logger.log(message),
          stop,
        });
      },
    },
  ],
  exports: [DatabaseServer],
})
export class DatabaseServerModule {}

/** Pool, migrations, partitions and the probe's connection. */
@Global()
@Module({
  imports: [
    DatabaseServerModule,
    TypeOrmModule.forRootAsync({
      inject: [DatabaseServer, SETTINGS],
      useFactory: (server: DatabaseServer, settings: Settings) => ({
        ...dataSourceOptions(server.url, {
          poolSize: settings.database.poolMax,
          extra: { idleTimeoutMillis: 600 * SECOND, keepAlive: true },
          poolErrorHandler: () => undefined,
          logger: SILENT_LOGGER,
        }),
        manualInitialization: true,
      }),
    }),
  ],
  providers: [
    {
      provide: PartitionStore,
      inject: [DatabaseServer],
      useFactory: (server: DatabaseServer) => new PartitionStore(server.adminUrl),
    },
    {
      provide: DatabasePing,
      inject: [DatabaseServer],
      useFactory: (server: DatabaseServer) => new DatabasePing(server.url),
    },
    {
      provide: Database,
      inject: [
        getDataSourceToken(),
        DatabaseServer,
        PartitionStore,
        DatabasePing,
        Metrics,
        SETTINGS,
        StopRequest,
      ],
      useFactory: async (
        source: DataSource,
        server: DatabaseServer,
        partitions: PartitionStore,
        ping: DatabasePing,
        metrics: Metrics,
        { database: { poolMax }, coordinator: { workers } }: Settings,
        stop: StopRequest,
      ) => {
        const database = createDatabase(
          source,
          new SchemaMigrator(server.adminUrl, server.url),
          partitions,
          metrics,
          readersOf(poolMax, workers),
        );
        exposeDatabase(database, ping, metrics);
        await database.open(stop.signal);
        return database;
      },
    },
  ],
  exports: [Database, DatabasePing, PartitionStore],
})
export class DatabaseModule {}

function createDatabase(
  source: DataSource,
  migrator: SchemaMigrator,
  partitions: PartitionStore,
  metrics: Metrics,
  maxReaders: number,
): Database {
  const logger = new Logger('database');
  const observer: DatabaseObserver = {
    migrated: ({ applied, adoption }) => {
      metrics.migrationsApplied.inc(applied);
      logger.log(applied === 0 ? 'schema is up to date' : `schema migrated, ${applied} step(s) applied`);
      if (adoption) tellAdoption(adoption, logger);
    },
    openFailed: (error) => logger.warn(`database cannot be used yet, trying again: ${reasonOf(error)}`),
    connectionLost: (error) => logger.warn(`an idle database connection was cut: ${error.message}`),
  };
  return new Database(source, migrator, partitions, observer, maxReaders);
}

function tellAdoption({ dependents }: Adoption, logger: Logger): void {
  logger.log(
    `the table ${LEGACY.name} of an earlier release is now ${LEGACY.adopted}; its rows are copied in the background`,
  );
  if (dependents.length > 0)
    logger.warn(
      `${dependents.join(', ')} read ${LEGACY.adopted}, which gets no new bars: make them again on ${LEGACY.name}`,
    );
}

/**
 * Connections that may read at once. Workers and the isolator of bad rows have one each; where that would leave a single
 * reader, which one export could hold, the isolator waits for a reader instead.
 */
function readersOf(poolMax: number, workers: number): number {
  const others = poolMax - workers;
  return Math.max(others - 1, Math.min(others, 2));
}
