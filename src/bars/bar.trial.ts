import type { PoolClient } from 'pg';

import { SECOND } from '../config/units.js';
import type { Takes } from '../coordinator/sink.js';
import type { Database } from '../database/database.js';
import {
  beginTrial,
  NEWEST_PARTITIONS,
  PUT_BACK,
  REWRITE,
  storedInPartition,
  STORED_IN,
  TAKE_OUT,
  TRY_BAR,
  UNDO,
} from './bar.trial.sql.js';
import type { BarBatch } from './bar.batch.js';
import { LOCK_SERIES } from './series.sql.js';
import { parseSeriesName } from './series.key.js';
import { formatTimestamp } from './timestamp.js';
import { OFFSET, readTimestamp, TUPLE_BYTES } from './tuple.js';

/** A store that takes longer for one bar takes nothing, for the moment. */
const ASK_LIMIT_MS = 3 * SECOND;
const ASK_LOCK_LIMIT_MS = SECOND;
/** Hundreds of bars may each wait for a lock. */
const BAR_LOCK_LIMIT_MS = 20;
/** Years of a batch of which bars are looked for; most batches are of one. */
const MOST_YEARS = 3;

/** Finds out what PostgreSQL takes now, in transactions that are rolled back. */
export class BarTrial {
  constructor(private readonly database: Pick<Database, 'withClient'>) {}

  /** Whether bars that are stored can be put back: of the years of these batches, and of any. */
  async takesOthers(batches: readonly BarBatch[]): Promise<Takes> {
    const years = [...new Set(batches.flatMap((batch) => [...batch.years]))].sort((a, b) => b - a);
    return await this.database.withClient(async (client) => {
      await client.query(beginTrial(ASK_LOCK_LIMIT_MS, ASK_LIMIT_MS, LOCK_SERIES));
      let alike: boolean | undefined;
      for (const year of years.slice(0, MOST_YEARS)) {
        const range = [`${year}-01-01T00:00:00Z`, `${year + 1}-01-01T00:00:00Z`];
        alike = either(alike, await takesAny(client, STORED_IN, range));
        if (alike) break;
      }
      const any = (alike ?? false) ? true : await takesAnywhere(client);
      await client.query('ROLLBACK');
      return { alike, any };
    }, 4 * ASK_LIMIT_MS);
  }

  /** The error of each batch of one bar that would be refused; none for those that would not. */
  async tryEach(batches: readonly BarBatch[]): Promise<readonly (Error | undefined)[]> {
    return await this.database.withClient(async (client) => {
      await client.query(beginTrial(BAR_LOCK_LIMIT_MS));
      const errors: (Error | undefined)[] = [];
      for (const batch of batches) errors.push(await errorOf(client, TRY_BAR, valuesOf(batch)));
      await client.query('ROLLBACK');
      return errors;
    });
  }
}

/** Asked partition by partition: one that is locked, or broken, says nothing of the others. */
async function takesAnywhere(client: PoolClient): Promise<boolean | undefined> {
  const { rows } = await client.query<{ name: string }>(NEWEST_PARTITIONS);
  let any: boolean | undefined;
  for (const { name } of rows) {
    any = either(any, await takesAny(client, storedInPartition(name), []));
    if (any) return true;
  }
  return any;
}

/**
 * True when one of the bars that the query finds can be put back; undefined when there was none to try; false also when
 * they cannot be looked for.
 */
async function takesAny(
  client: PoolClient,
  query: string,
  range: readonly string[],
): Promise<boolean | undefined> {
  const stored = await find(client, query, range);
  if (!stored) return false;
  let taken: boolean | undefined;
  for (const { series_id, ts } of stored) {
    const key = [series_id, ts];
    if (await errorOf(client, REWRITE, key)) taken = either(taken, false);
    // A table from which nothing may be deleted cannot be asked so.
    else if (!(await errorOf(client, TAKE_OUT, key)))
      taken = either(taken, (await errorOf(client, PUT_BACK, key)) === undefined);
    if (taken) return true;
  }
  return taken;
}

/** The keys of a few stored bars; undefined when PostgreSQL does not let us look. Rejects when the connection is lost. */
async function find(
  client: PoolClient,
  query: string,
  range: readonly string[],
): Promise<readonly { series_id: number; ts: string }[] | undefined> {
  try {
    return (await client.query<{ series_id: number; ts: string }>(query, [...range])).rows;
  } catch {
    await client.query(UNDO);
    return undefined;
  }
}

/** Tries one step and undoes it. Rejects when the connection is lost. */
async function errorOf(
  client: PoolClient,
  text: string,
  values: readonly unknown[],
): Promise<Error | undefined> {
  try {
    await client.query(text, [...values]);
    await client.query(UNDO);
    return undefined;
  } catch (error) {
    await client.query(UNDO);
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** True beats false, and false beats what is not known. */
function either(one: boolean | undefined, other: boolean | undefined): boolean | undefined {
  return (one ?? false) ? true : (other ?? one);
}

function valuesOf({ tuples, series, rows, receivedAt, onConflict }: BarBatch): unknown[] {
  if (rows !== 1 || tuples.length !== TUPLE_BYTES)
    throw new RangeError(`a trial is of one bar, not of ${rows}`);
  const { provider, symbol, interval } = parseSeriesName(series[tuples.readInt32BE(OFFSET.series)] ?? '');
  return [
    ...[provider, symbol, interval, formatTimestamp(readTimestamp(tuples, OFFSET.ts))],
    ...(['open', 'high', 'low', 'close', 'volume'] as const).map((field) =>
      tuples.readDoubleBE(OFFSET[field]),
    ),
    formatTimestamp(receivedAt),
    onConflict === 'replace',
  ];
}
