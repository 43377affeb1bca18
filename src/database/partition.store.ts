import { Client } from 'pg';

import { SECOND } from '../config/units.js';
import { ADVISORY_LOCK } from './advisory.locks.js';
import { CONNECT_LIMIT_MS } from './connect.limit.js';

/** Attaching waits for no reader or writer, only for another partition being made. */
const DDL_LIMIT_MS = 30 * SECOND;

/**
 * The yearly partitions of `bars`, made on demand. Years and not months: a symbol's daily bars since 1962 touch
 * 65 partitions instead of 770.
 */
export class PartitionStore {
  private readonly known = new Set<number>();

  /** @param adminUrl a role that may create tables */
  constructor(private readonly adminUrl: string) {}

  /** Makes sure that each UTC year has its partition. */
  async ensure(years: Iterable<number>): Promise<void> {
    const missing = [...years].filter((year) => !this.known.has(year));
    if (missing.length === 0) return;
    const client = new Client({
      connectionString: this.adminUrl,
      application_name: 'market-data-store ddl',
      connectionTimeoutMillis: CONNECT_LIMIT_MS,
      query_timeout: DDL_LIMIT_MS,
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      for (const year of missing) {
        await createPartition(client, year);
        this.known.add(year);
      }
    } finally {
      await client.end();
    }
  }

  /** Forgets that partitions exist: one of them was removed behind our back, or the server is another one. */
  forget(years: Iterable<number>): void {
    for (const year of years) this.known.delete(year);
  }
}

/**
 * Creates a table and attaches it, because `CREATE TABLE ... PARTITION OF` would lock out readers and writers
 * of all bars, and `ATTACH PARTITION` does not.
 */
async function createPartition(client: Client, year: number): Promise<void> {
  const name = `bars_${year}`;
  // An error leaves the transaction open; the caller ends the connection, which rolls it back.
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK.partition]);
  const { rowCount } = await client.query(
    `SELECT 1 FROM pg_inherits WHERE inhparent = 'bars'::regclass AND inhrelid = to_regclass($1)`,
    [name],
  );
  if (rowCount === 0) {
    // With its checks: a table that lacks one cannot be attached.
    await client.query(`CREATE TABLE ${name} (LIKE bars INCLUDING CONSTRAINTS)`);
    await client.query(
      `ALTER TABLE bars ATTACH PARTITION ${name}
         FOR VALUES FROM ('${year}-01-01T00:00:00Z') TO ('${year + 1}-01-01T00:00:00Z')`,
    );
  }
  await client.query('COMMIT');
}
