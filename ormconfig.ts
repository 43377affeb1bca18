import { join } from 'node:path';

import { DataSource, type DataSourceOptions } from 'typeorm';

import { loadEnvironmentFile } from './src/config/environment.file.js';
import { isPostgresUrl } from './src/config/postgres.url.js';
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

/** Leads nowhere: without a host, pg would go to whatever database its own variables name. */
const NOWHERE = 'postgres://no-usable-DATABASE_URL-is-set.invalid/';

/** For `npm run typeorm`: the configured database, or the embedded one of a running service. */
function commandLineUrl(): string {
  loadEnvironmentFile();
  const set = (name: string) => {
    const text = process.env[name]?.trim();
    return text === '' ? undefined : text;
  };
  const url =
    set('ADMIN_DATABASE_URL') ??
    set('DATABASE_URL') ??
    readRunningUrl(join(set('MDS_DATA_DIR') ?? './data', 'postgres'));
  // The service imports this file before it has told what is wrong with its settings.
  return url !== undefined && isPostgresUrl(url) ? url : NOWHERE;
}

export default new DataSource(dataSourceOptions(commandLineUrl()));
