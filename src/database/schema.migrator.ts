import { DataSource } from 'typeorm';

import { dataSourceOptions } from '../../ormconfig.js';
import { ADVISORY_LOCK } from './advisory.locks.js';
import { CONNECT_LIMIT_MS } from './connect.limit.js';

/** Migrates the schema; several replicas may do so at once, one after the other gets its turn. */
export class SchemaMigrator {
  constructor(
    private readonly adminUrl: string,
    private readonly appUrl: string,
  ) {}

  /** Runs what is pending and resolves with the number of migrations that were applied. */
  async migrate(): Promise<number> {
    // Two connections: one holds the lock in a transaction, TypeORM migrates through the other. A lock of the session
    // would outlive us behind a pooler, which keeps the session.
    const admin = await new DataSource(dataSourceOptions(this.adminUrl, { poolSize: 2 })).initialize();
    const lock = admin.createQueryRunner();
    try {
      // A replica that hangs while it migrates must not keep this one from serving its probes; it tries again.
      await lock.startTransaction();
      await lock.query(`SET LOCAL lock_timeout = '${CONNECT_LIMIT_MS}ms'`);
      await lock.query('SET LOCAL idle_in_transaction_session_timeout = 0');
      await lock.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK.migrate]);
      const applied = await admin.runMigrations();
      await this.grantToApplication(admin);
      await lock.commitTransaction();
      return applied.length;
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
