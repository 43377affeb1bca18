import { DataSource, type QueryRunner } from 'typeorm';

import { dataSourceOptions } from '../../ormconfig.js';
import { ADVISORY_LOCK } from './advisory.locks.js';
import { CONNECT_LIMIT_MS } from './connect.limit.js';
import { adoptLegacyTable, findLegacyTable, type Adoption } from './legacy/legacy.adoption.js';
import { LEGACY, type Query } from './legacy/legacy.table.js';
import { SILENT_LOGGER } from './silent.logger.js';

/** SQLSTATE of a lock that did not come in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/** What a migration did. */
export interface Migrated {
  /** Migrations that were applied. */
  readonly applied: number;
  /** Undefined: there was no table of an earlier release. */
  readonly adoption: Adoption | undefined;
}

/** Migrates the schema; several replicas may do so at once, one after the other gets its turn. */
export class SchemaMigrator {
  constructor(
    private readonly adminUrl: string,
    private readonly appUrl: string,
  ) {}

  /**
   * Runs what is pending, and takes over the table of an earlier release.
   * @throws LegacyTableError, before anything is changed, when it is another table that has the view's name
   */
  async migrate(): Promise<Migrated> {
    // Two connections: one holds the lock in a transaction, TypeORM migrates through the other. A lock of the session
    // would outlive us behind a pooler, which keeps the session.
    const admin = await new DataSource(
      dataSourceOptions(this.adminUrl, { poolSize: 2, logger: SILENT_LOGGER }),
    ).initialize();
    const lock = admin.createQueryRunner();
    try {
      // A replica that hangs while it migrates must not keep this one from serving its probes; it tries again.
      await lock.startTransaction();
      await lock.query(`SET LOCAL lock_timeout = '${CONNECT_LIMIT_MS}ms'`);
      await lock.query('SET LOCAL idle_in_transaction_session_timeout = 0');
      await lock.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK.migrate]);
      const legacy = await findLegacyTable(queryOf(lock));
      const applied = await admin.runMigrations();
      const adoption = legacy && (await adopt(admin));
      await this.grantToApplication(admin);
      await lock.commitTransaction();
      return { applied: applied.length, adoption };
    } finally {
      // Ending the connection rolls back and releases the lock, also when something failed half-way.
      await lock.release();
      await admin.destroy();
    }
  }

  /** Lets the application's role use what the admin role owns, when they are two. */
  private async grantToApplication(admin: DataSource): Promise<void> {
    const role = decodeURIComponent(new URL(this.appUrl).username);
    if (role === '' || role === decodeURIComponent(new URL(this.adminUrl).username)) return;
    const quoted = `"${role.replaceAll('"', '""')}"`;
    await admin.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${quoted}`);
    await admin.query(`GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO ${quoted}`);
  }
}

/** In a transaction of its own, so that there is always a table or a view of the name. */
async function adopt(admin: DataSource): Promise<Adoption> {
  const runner = admin.createQueryRunner();
  try {
    await runner.startTransaction();
    await runner.query(`SET LOCAL lock_timeout = '${CONNECT_LIMIT_MS}ms'`);
    const adoption = await adoptLegacyTable(queryOf(runner));
    await runner.commitTransaction();
    return adoption;
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction();
    if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
    throw new Error(`somebody uses the table ${LEGACY.name}: stop the earlier service, and what reads it`, {
      cause: error,
    });
  } finally {
    await runner.release();
  }
}

function queryOf(runner: QueryRunner): Query {
  return async <Row extends object>(text: string, values?: unknown[]) =>
    (await runner.query(text, values)) as Row[];
}
