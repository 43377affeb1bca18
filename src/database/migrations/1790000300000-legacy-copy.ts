import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How far the rows of an earlier release's table are copied, changed in the transactions that copy them; and what could
 * not be copied.
 */
export class LegacyCopy1790000300000 implements MigrationInterface {
  readonly name = 'LegacyCopy1790000300000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE legacy_copy (
        singleton    boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        adopted_at   timestamptz NOT NULL,
        listed_at    timestamptz,
        position     text[],
        rows_read    bigint NOT NULL DEFAULT 0,
        rows_left    bigint NOT NULL DEFAULT 0,
        rows_rounded bigint NOT NULL DEFAULT 0,
        completed_at timestamptz
      )`);
    await runner.query(`
      CREATE TABLE legacy_series (
        provider        text NOT NULL,
        symbol          text NOT NULL,
        interval        text NOT NULL,
        stored_symbol   text,
        stored_interval text,
        reason          text,
        PRIMARY KEY (provider, symbol, interval)
      )`);
    await runner.query(`
      CREATE TABLE legacy_left (
        provider text NOT NULL,
        symbol   text NOT NULL,
        interval text NOT NULL,
        reason   text NOT NULL,
        rows     bigint NOT NULL,
        first_ts timestamptz NOT NULL,
        last_ts  timestamptz NOT NULL,
        PRIMARY KEY (provider, symbol, interval, reason)
      )`);
    await runner.query(
      `COMMENT ON TABLE legacy_copy IS 'How far the rows of bars_ohlcv_legacy are copied: the last key, or completed_at'`,
    );
    await runner.query(
      `COMMENT ON TABLE legacy_series IS 'The series of bars_ohlcv_legacy, and how each is named in bars'`,
    );
    await runner.query(
      `COMMENT ON TABLE legacy_left IS 'Rows of bars_ohlcv_legacy that could not be copied, by series and reason'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE legacy_copy, legacy_series, legacy_left');
  }
}
