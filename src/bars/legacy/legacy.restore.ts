import type { ClientBase } from 'pg';

import { ADVISORY_LOCK } from '../../database/advisory.locks.js';
import { CONNECT_LIMIT_MS } from '../../database/connect.limit.js';
import { copyReadGrants } from '../../database/legacy/legacy.grants.js';
import {
  describeLegacyTable,
  LEGACY,
  LegacyTableError,
  type Query,
} from '../../database/legacy/legacy.table.js';
import { UPPER_CASE } from '../symbol.case.js';
import {
  COUNT_CHANGED,
  FIND_SERVICES,
  findChanged,
  GIVE_BACK_NAME,
  LIST_UNFIT,
  LOCK_TABLES,
  PREPARE_RESTORE,
  writeChanged,
} from './legacy.restore.sql.js';
import { nameLegacySeries } from './legacy.series.js';
import { NO_TIME_LIMIT, READ_COPY } from './legacy.sql.js';

/** What a restore did, or would do. */
export interface Restored {
  /** Bars written into the earlier table: those that were stored since. */
  readonly written: number;
  /** Of these, bars with a number that a column of that table rounds. */
  readonly rounded: number;
  /** Bars that its columns cannot hold; they stay in `bars`. */
  readonly unfit: readonly UnfitBars[];
}

/** Bars of one series. */
export interface UnfitBars {
  readonly provider: string;
  readonly symbol: string;
  readonly interval: string;
  readonly rows: number;
  readonly first: Date;
  readonly last: Date;
}

/** Services that are connected to the database: their connections' names, and from where. */
export async function connectedServices(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string; host: string }>(FIND_SERVICES);
  return rows.map(({ name, host }) => `${name} from ${host}`);
}

/**
 * Writes the bars that were stored since the earlier table was taken over into it, and gives it its name back. In one
 * transaction; with `dryRun` that is rolled back. `symbolCase` is for a table whose copy had not begun.
 * @throws LegacyTableError when there is no such table
 */
export async function restoreLegacyTable(
  client: ClientBase,
  { dryRun = false, symbolCase = UPPER_CASE } = {},
): Promise<Restored> {
  await client.query('BEGIN');
  await client.query(NO_TIME_LIMIT);
  await client.query(`SET LOCAL lock_timeout = '${CONNECT_LIMIT_MS}ms'`);
  await client.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK.migrate]);
  const query: Query = async <Row extends object>(text: string, values?: unknown[]) =>
    (await client.query<Row>(text, values)).rows;
  const table = await describeLegacyTable(query, LEGACY.adopted);
  if (table === undefined)
    throw new LegacyTableError(
      `there is no table ${LEGACY.adopted} in this database: no table of an earlier release was taken over, it was given back, or it was dropped`,
    );
  await client.query(LOCK_TABLES);
  await client.query(PREPARE_RESTORE);
  const { rows: copies } = await client.query<{ listed: boolean }>(READ_COPY);
  // Bars are stored under the names that the copy gave, which other settings would not give.
  if (copies[0]?.listed !== true) await nameLegacySeries(client, symbolCase);
  await client.query(findChanged(table));
  const counted = await client.query<Pick<Restored, 'written' | 'rounded'>>(COUNT_CHANGED);
  const { rows: unfit } = await client.query<UnfitBars>(LIST_UNFIT);
  if (!dryRun) {
    await client.query(writeChanged(table));
    await copyReadGrants(query, LEGACY.name, LEGACY.adopted);
    await client.query(GIVE_BACK_NAME).catch((error: unknown) => {
      throw isDependedOn(error)
        ? new LegacyTableError(`${error.detail}: drop it first`, { cause: error })
        : error;
    });
  }
  await client.query(dryRun ? 'ROLLBACK' : 'COMMIT');
  const { written = 0, rounded = 0 } = counted.rows[0] ?? {};
  return { written, rounded, unfit };
}

/** SQLSTATE of a view that others read. */
function isDependedOn(error: unknown): error is Error & { detail: string } {
  return error instanceof Error && 'code' in error && error.code === '2BP01' && 'detail' in error;
}
