import type { ClientBase, PoolClient } from 'pg';

import { countsOf, shareCounts, startCounts, type CountsByReceipt } from './batch.counts.js';
import type { WriteOrder } from './key.order.js';
import {
  APPLY_NEWER,
  COLLECT_LATE,
  COUNT_REPLACED,
  INSERT_FRESH,
  PAIR_STORED,
  PREPARE_REBUILD,
  READ_CONFIRMATIONS,
  SET_ALL_APART,
  SET_SEVERAL_APART,
  UNSTAGE_PAIRED,
} from './merge.sql.js';
import {
  COUNT_SUPERSEDED,
  DROP_SPANS,
  FIND_AHEAD,
  REBUILD,
  REBUILD_AHEAD,
  WRITE_REBUILT,
} from './history.sql.js';
import { countRepeated } from './repeated.lines.js';
import type { ResolvedBatch } from './resolved.batch.js';
import { stageBars } from './staged.bars.js';
import { formatTimestamp } from './timestamp.js';
import type { WriteCounts } from './write.counts.js';

/** Rows that somebody deletes while they are merged are inserted again, so often. */
const MOST_INSERTS = 5;

type Counted<Column extends string> = { batch: string } & Record<Column, number>;

/** What a merge did. */
export interface Merged {
  /** Of each batch, in the order given. */
  readonly counts: readonly WriteCounts[];
  /** Versions from the future that gave way to one received now. */
  readonly dated: number;
}

/**
 * Writes batches some of whose bars are stored already, in the transaction that was begun: of two versions the one
 * received last stays, the other goes to the revisions, whatever the order in which they are committed. The number of
 * statements does not depend on how many versions there are.
 *
 * With `rebuildsAll` the history of every key is put together again, which mends one with a span of no length.
 */
export async function mergeBars(
  client: PoolClient,
  batches: readonly ResolvedBatch[],
  order: WriteOrder,
  { rebuildsAll = false } = {},
): Promise<Merged> {
  const counts = startCounts(batches);
  const range = [formatTimestamp(order.firstTs), formatTimestamp(order.lastTs)] as const;
  const hasSeveral = await stageBars(client, batches, order);
  const dated = await mergeStaged(
    client,
    { rows: order.keys.at.length, range, hasSeveral, rebuildsAll },
    counts,
  );
  await countRepeated(client, batches, counts, { range, hasSeveral });
  return { counts: shareCounts(batches, counts), dated };
}

/** What is in `bars_staging`, and in `bars_versions`. */
export interface Staged {
  /** Keys. */
  readonly rows: number;
  /** The first and the last ts, as text. */
  readonly range: readonly [string, string];
  /** Whether there are keys with several versions. */
  readonly hasSeveral: boolean;
  readonly rebuildsAll?: boolean;
}

/** Merges what is staged in this transaction. @returns how many versions were from the future and gave way */
export async function mergeStaged(
  client: ClientBase,
  { rows, range, hasSeveral, rebuildsAll = false }: Staged,
  counts: CountsByReceipt,
): Promise<number> {
  await pairAll(client, rows, range, counts);
  await client.query(READ_CONFIRMATIONS, [...range]);
  if (hasSeveral) await client.query(SET_SEVERAL_APART);
  if (rebuildsAll) await client.query(SET_ALL_APART);
  const late = await applyNewer(client, range, counts);
  if (late > 0) {
    await client.query(PREPARE_REBUILD);
    await client.query(COLLECT_LATE);
  }
  return hasSeveral || late > 0 ? await rebuild(client, range, counts) : 0;
}

/** Inserts what is not stored, until all staged keys are there, locked and paired; the usual merge finds them at once. */
async function pairAll(
  client: ClientBase,
  rows: number,
  range: readonly string[],
  counts: CountsByReceipt,
): Promise<void> {
  let paired = await pairStored(client, range);
  for (let inserts = 0; paired < rows; inserts++) {
    if (inserts === MOST_INSERTS) throw new Error('bars are deleted as fast as they are merged');
    await client.query(UNSTAGE_PAIRED);
    const fresh = await client.query<Counted<'inserted'>>(INSERT_FRESH);
    for (const { batch, inserted } of fresh.rows) countsOf(counts, batch).inserted += inserted;
    paired += await pairStored(client, range);
  }
}

async function pairStored(client: ClientBase, range: readonly string[]): Promise<number> {
  const { rowCount } = await client.query(PAIR_STORED, [...range]);
  return rowCount ?? 0;
}

/** @returns how many versions are left, because they are not the newest of their key */
async function applyNewer(
  client: ClientBase,
  range: readonly string[],
  counts: CountsByReceipt,
): Promise<number> {
  const { rows } = await client.query<Counted<'updated' | 'written' | 'late' | 'found'>>(APPLY_NEWER, [
    ...range,
  ]);
  for (const { batch, updated } of rows) countsOf(counts, batch).updated += updated;
  assertReplaced(sumOf(rows, 'updated'), rows[0]?.found ?? 0);
  if (rows.some(({ written }) => written > 0)) await countEarlierTry(client, rows, counts);
  return sumOf(rows, 'late');
}

/** Counts what an earlier try wrote as if this one had. */
async function countEarlierTry(
  client: ClientBase,
  rows: readonly Counted<'written'>[],
  counts: CountsByReceipt,
): Promise<void> {
  const replaced = await client.query<Counted<'replaced'>>(COUNT_REPLACED);
  const replacedOf = new Map(replaced.rows.map((row) => [row.batch, row.replaced]));
  for (const { batch, written } of rows) {
    const updates = replacedOf.get(batch) ?? 0;
    countsOf(counts, batch).updated += updates;
    countsOf(counts, batch).inserted += written - updates;
  }
}

/** @returns how many versions were from the future and gave way */
async function rebuild(
  client: ClientBase,
  range: readonly string[],
  counts: CountsByReceipt,
): Promise<number> {
  const { rowCount: ahead } = await client.query(FIND_AHEAD);
  await client.query(ahead === 0 ? REBUILD : REBUILD_AHEAD);
  const superseded = await client.query<Counted<'superseded'>>(COUNT_SUPERSEDED);
  for (const row of superseded.rows) countsOf(counts, row.batch).superseded += row.superseded;
  await client.query(DROP_SPANS);
  const { rows } = await client.query<WrittenSpans>(WRITE_REBUILT, [...range]);
  for (const { batch, inserted, updated } of rows) {
    // The spans that were there before are of batches of their own.
    const ofBatch = counts.get(batch);
    if (ofBatch === undefined) continue;
    ofBatch.inserted += inserted;
    ofBatch.updated += updated;
  }
  const [first] = rows;
  assertReplaced(first?.replaced ?? 0, first?.found ?? 0);
  return first?.dated ?? 0;
}

type WrittenSpans = Counted<'inserted' | 'updated' | 'found' | 'replaced' | 'dated'>;

/** A trigger or row security may have kept a bar from being replaced: then nothing of the merge is committed. */
function assertReplaced(meant: number, found: number): void {
  if (found !== meant) throw new Error(`${found} bars were replaced where ${meant} were to be`);
}

function sumOf<Column extends string>(rows: readonly Record<Column, number>[], column: Column): number {
  return rows.reduce((sum, row) => sum + row[column], 0);
}
