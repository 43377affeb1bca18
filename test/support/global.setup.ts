import { resolve } from 'node:path';

import { Client } from 'pg';

import type * as Migration from '../../src/database/schema.migrator.js';
import type * as Partition from '../../src/database/partition.store.js';
import { startTestCluster, type TestCluster } from './postgres.ts';

declare global {
  var testCluster: TestCluster | undefined;
}

/** The database that every test database is a copy of. */
const TEMPLATE = 'migrated_template';

/** Starts one PostgreSQL for the whole suite and migrates a template in it. */
export default async function setUp(): Promise<void> {
  const cluster = await startTestCluster();
  globalThis.testCluster = cluster;
  process.env['TEST_POSTGRES_URL'] = cluster.url;

  const admin = new Client({ connectionString: cluster.url });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${TEMPLATE}`);
  await admin.end();

  const url = new URL(cluster.url);
  url.pathname = `/${TEMPLATE}`;
  const { SchemaMigrator } = (await import(
    resolve('dist/src/database/schema.migrator.js')
  )) as typeof Migration;
  const { PartitionStore } = (await import(
    resolve('dist/src/database/partition.store.js')
  )) as typeof Partition;
  await new SchemaMigrator(url.href, url.href).migrate();
  await new PartitionStore(url.href).ensure([new Date().getUTCFullYear(), new Date().getUTCFullYear() + 1]);
}
