/** What is tried in a transaction that is rolled back, to find out what the table of bars takes now. */

/**
 * Begins it. A constraint that is checked at the commit only would never be seen to fail. Locks that somebody holds are
 * a reason to say no, not to wait.
 */
export function beginTrial(lockLimitMs: number, statementLimitMs?: number, locks = ''): string {
  const limit = statementLimitMs === undefined ? '' : `SET LOCAL statement_timeout = ${statementLimitMs};`;
  return `BEGIN ISOLATION LEVEL READ COMMITTED;
    SET CONSTRAINTS ALL IMMEDIATE;
    SET LOCAL lock_timeout = ${lockLimitMs};
    ${limit}
    ${locks}
    SAVEPOINT trial`;
}

/** Makes good what a step did, and lets go of its locks: a trial never waits for one while it holds another. */
export const UNDO = 'ROLLBACK TO SAVEPOINT trial';

/** The partitions, newest years first. */
export const NEWEST_PARTITIONS = `
  SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'bars'::regclass
   ORDER BY name DESC LIMIT 5`;

/** A few bars that are stored and that nobody has locked, in a range of time or in a partition. */
export const STORED_IN = `
  SELECT series_id, ts::text AS ts FROM bars WHERE ts >= $1 AND ts < $2 LIMIT 3 FOR UPDATE SKIP LOCKED`;
export function storedInPartition(name: string): string {
  return `SELECT series_id, ts::text AS ts FROM ${name} LIMIT 3 FOR UPDATE SKIP LOCKED`;
}

const COLUMNS = 'series_id, ts, open, high, low, close, volume, received_at';

/** What a stored bar is put through, as every new bar and every correction is; $1 and $2 are its key. */
export const REWRITE = `
  UPDATE bars SET open = open, high = high, low = low, close = close, volume = volume, received_at = received_at
   WHERE series_id = $1 AND ts = $2`;
export const TAKE_OUT = 'DELETE FROM bars WHERE series_id = $1 AND ts = $2';
export const PUT_BACK = `
  WITH taken AS (DELETE FROM bars WHERE series_id = $1 AND ts = $2 RETURNING ${COLUMNS})
  INSERT INTO bars (${COLUMNS}) SELECT ${COLUMNS} FROM taken`;

/**
 * One bar: inserted when there is none of its key, and else put in the place of an older one, as the lanes do. $1 to $3
 * are its series, $4 its ts, $5 to $9 its values, $10 its time of receipt, $11 whether it may replace a stored one.
 */
export const TRY_BAR = `
  WITH known AS (SELECT id FROM series WHERE provider = $1 AND symbol = $2 AND interval = $3),
       made AS (INSERT INTO series (provider, symbol, interval)
                SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM known) RETURNING id),
       replaced AS (UPDATE bars SET open = $5, high = $6, low = $7, close = $8, volume = $9, received_at = $10
                     WHERE series_id = (SELECT id FROM known) AND ts = $4 AND received_at < $10 AND $11)
  INSERT INTO bars (${COLUMNS})
  SELECT id, $4, $5, $6, $7, $8, $9, $10 FROM (SELECT id FROM known UNION ALL SELECT id FROM made) AS own
   WHERE NOT EXISTS (SELECT FROM bars WHERE series_id = own.id AND ts = $4)`;
