import { join } from 'node:path';

import { DataSource, type DataSourceOptions } from 'typeorm';

import { CONNECT_LIMIT_MS } from './src/database/connect.limit.js';
import { readRunningUrl } from './src/database/embedded/index.js';
import { SeriesEntity } from './src/database/entities/series.entity.js';
import { MIGRATIONS } from './src/database/migrations/index.js';

/** How TypeORM reaches a database: one definition for the application and for the command line. */
export function dataSourceOptions(url: string, extra: Partial<PostgresOptions> = {}): PostgresOptions {
  return {
    type: 'postgres',
    url,
    applicationName: 'market-data-store',
    entities: [SeriesEntity],
    migrations: MIGRATIONS,
    migrationsTableName: 'schema_migrations',
    migrationsTransactionMode: 'each',
    installExtensions: false,
    connectTimeoutMS: CONNECT_LIMIT_MS,
    ...extra,
  };
}

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** For `npm run typeorm`: the configured database, or the embedded one of a running service. */
function commandLineUrl(): string {
  const { ADMIN_DATABASE_URL, DATABASE_URL, MDS_DATA_DIR = './data' } = process.env;
  return ADMIN_DATABASE_URL ?? DATABASE_URL ?? readRunningUrl(join(MDS_DATA_DIR, 'postgres')) ?? '';
}

export default new DataSource(dataSourceOptions(commandLineUrl()));
