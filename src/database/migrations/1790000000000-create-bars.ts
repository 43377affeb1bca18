import type { MigrationInterface, QueryRunner } from 'typeorm';

import { CREATE_VIEW } from '../bars.view.js';
import { LEGACY } from '../legacy/legacy.table.js';

/** Series, bars partitioned by time, their earlier versions, and the view with the earlier table's shape. */
export class CreateBars1790000000000 implements MigrationInterface {
  readonly name = 'CreateBars1790000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE series (
        id       serial PRIMARY KEY,
        provider text NOT NULL,
        symbol   text NOT NULL,
        interval text NOT NULL,
        CONSTRAINT series_key UNIQUE (provider, symbol, interval)
      )`);
    await runner.query(`CREATE INDEX series_symbol ON series (symbol COLLATE "C", provider, interval)`);
    await runner.query(`
      CREATE TABLE bars (
        series_id   int NOT NULL,
        ts          timestamptz NOT NULL,
        open        float8 NOT NULL,
        high        float8 NOT NULL,
        low         float8 NOT NULL,
        close       float8 NOT NULL,
        volume      float8 NOT NULL,
        received_at timestamptz NOT NULL,
        PRIMARY KEY (series_id, ts)
      ) PARTITION BY RANGE (ts)`);
    await runner.query(`
      CREATE TABLE bar_revisions (
        series_id     int NOT NULL,
        ts            timestamptz NOT NULL,
        open          float8 NOT NULL,
        high          float8 NOT NULL,
        low           float8 NOT NULL,
        close         float8 NOT NULL,
        volume        float8 NOT NULL,
        received_at   timestamptz NOT NULL,
        superseded_at timestamptz NOT NULL,
        PRIMARY KEY (series_id, ts, received_at)
      )`);
    await runner.query(`
      CREATE TABLE bar_confirmations (
        series_id    int NOT NULL,
        ts           timestamptz NOT NULL,
        confirmed_at timestamptz NOT NULL,
        PRIMARY KEY (series_id, ts)
      )`);
    await runner.query(
      `COMMENT ON TABLE bar_revisions IS 'Earlier versions of bars, each known from received_at until superseded_at'`,
    );
    await runner.query(
      `COMMENT ON TABLE bar_confirmations IS 'When a stored bar was last received again unchanged; decides between versions that are committed out of order'`,
    );
    // A table of an earlier release has the name until it is taken over (legacy.adoption.ts).
    if (!(await hasTable(runner, LEGACY.name))) await runner.query(CREATE_VIEW);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP VIEW bars_ohlcv');
    await runner.query('DROP TABLE bar_confirmations, bar_revisions, bars, series');
  }
}

async function hasTable(runner: QueryRunner, name: string): Promise<boolean> {
  const rows = (await runner.query(
    `SELECT FROM pg_class
      WHERE relname = $1 AND relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')`,
    [name],
  )) as object[];
  return rows.length > 0;
}
