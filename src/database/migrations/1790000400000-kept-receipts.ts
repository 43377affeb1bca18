import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Which versions were sent with `on_conflict=keep`: a version of a bar is one when its series and its time of receipt are
 * here. A column in `bars` would cost 8 bytes in every row. Builds that know nothing of it take such a version for any
 * other of its time.
 */
export class KeptReceipts1790000400000 implements MigrationInterface {
  readonly name = 'KeptReceipts1790000400000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE kept_receipts (
        series_id   int NOT NULL,
        received_at timestamptz NOT NULL,
        PRIMARY KEY (series_id, received_at)
      )`);
    await runner.query(
      `COMMENT ON TABLE kept_receipts IS 'Receipts whose bars were sent with on_conflict=keep: they give way to every version that was not, also to one received earlier'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kept_receipts');
  }
}
