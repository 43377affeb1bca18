import pg from 'pg';

import { SECOND } from '../../config/units.js';
import { type Cluster, ROLE } from './cluster.js';

const DATABASE = 'market_data';
const INVALID_CATALOG_NAME = '3D000';

/** Connection URL of the service's database. */
export function urlOf({ password }: Cluster, port: number, database = DATABASE): string {
  return `postgresql://${ROLE}:${password}@127.0.0.1:${port}/${database}`;
}

/** Checks that the database takes our connection, and creates it when the cluster is new. */
export async function ensureDatabase(cluster: Cluster, port: number): Promise<void> {
  try {
    await query(urlOf(cluster, port), 'SELECT 1');
  } catch (error) {
    if ((error as { code?: string }).code !== INVALID_CATALOG_NAME) throw error;
    await query(urlOf(cluster, port, 'postgres'), `CREATE DATABASE ${DATABASE}`);
  }
}

async function query(connectionString: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10 * SECOND });
  // Without a listener a connection that breaks while idle would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end();
  }
}
