import type { MigrationInterface, QueryRunner } from 'typeorm';

import { ADVISORY_LOCK } from '../advisory.locks.js';

/**
 * A version of the table `series` that every change of it replaces by a random one: two databases in which it is the
 * same have the same series under the same ids. Triggers fire always, also for a role that replicates, and as the owner,
 * so that versions of the service that know nothing of it may go on inserting.
 */
export class SeriesVersion1790000100000 implements MigrationInterface {
  readonly name = 'SeriesVersion1790000100000';

  async up(runner: QueryRunner): Promise<void> {
    const [{ schema }] = (await runner.query('SELECT quote_ident(current_schema()) AS schema')) as [
      { schema: string },
    ];
    await runner.query(`
      CREATE TABLE series_version (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        version   uuid NOT NULL DEFAULT gen_random_uuid()
      )`);
    await runner.query('INSERT INTO series_version DEFAULT VALUES');
    await runner.query(
      `COMMENT ON TABLE series_version IS 'Changes with every change of series; a remembered id is used only while it is the same'`,
    );
    // Whoever writes bars holds the lock shared: ids do not change under them.
    await runner.query(`
      CREATE FUNCTION series_exclude_writers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = pg_catalog, ${schema}, pg_temp AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock(${ADVISORY_LOCK.series});
        RETURN NULL;
      END $$`);
    await runner.query(`
      CREATE FUNCTION series_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = pg_catalog, ${schema}, pg_temp AS $$
      BEGIN
        UPDATE series_version SET version = gen_random_uuid();
        RETURN NULL;
      END $$`);
    await runner.query(`
      CREATE FUNCTION series_added() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = pg_catalog, ${schema}, pg_temp AS $$
      BEGIN
        IF EXISTS (SELECT FROM added) THEN
          UPDATE series_version SET version = gen_random_uuid();
        END IF;
        RETURN NULL;
      END $$`);
    for (const statement of TRIGGERS) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of TRIGGER_NAMES) await runner.query(`DROP TRIGGER ${name} ON series`);
    await runner.query('DROP FUNCTION series_exclude_writers, series_changed, series_added');
    await runner.query('DROP TABLE series_version');
  }
}

const TRIGGER_NAMES = ['series_exclude_writers', 'series_changed', 'series_added', 'series_truncated'];

const TRIGGERS = [
  `CREATE TRIGGER series_exclude_writers BEFORE UPDATE OR DELETE OR TRUNCATE ON series
     FOR EACH STATEMENT EXECUTE FUNCTION series_exclude_writers()`,
  `CREATE TRIGGER series_changed AFTER UPDATE OR DELETE ON series
     FOR EACH STATEMENT EXECUTE FUNCTION series_changed()`,
  `CREATE TRIGGER series_truncated AFTER TRUNCATE ON series
     FOR EACH STATEMENT EXECUTE FUNCTION series_changed()`,
  `CREATE TRIGGER series_added AFTER INSERT ON series REFERENCING NEW TABLE AS added
     FOR EACH STATEMENT EXECUTE FUNCTION series_added()`,
  ...TRIGGER_NAMES.map((name) => `ALTER TABLE series ENABLE ALWAYS TRIGGER ${name}`),
];
