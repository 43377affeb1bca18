import type { BarBatch } from './bar.batch.js';
import type { ResolvedBatch } from './resolved.batch.js';
import type { WriteCounts } from './write.counts.js';

/** What became of the bars of one batch. */
export interface BatchCounts {
  inserted: number;
  updated: number;
  superseded: number;
  /** Lines that gave way to another of their body, and have other values than are stored; undefined if not counted. */
  repeated?: number;
}

/** What became of the bars of each batch, by its time of receipt: Unix microseconds, as text. */
export type CountsByReceipt = Pick<ReadonlyMap<string, BatchCounts>, 'get'>;

/** Zeros, to be filled. */
export function startCounts(batches: readonly ResolvedBatch[]): CountsByReceipt {
  return new Map(
    batches.map(({ batch }) => [String(batch.receivedAt), { inserted: 0, updated: 0, superseded: 0 }]),
  );
}

/** Those of the batch that was received then. @throws Error when none was */
export function countsOf(counts: CountsByReceipt, receipt: string): BatchCounts {
  const found = counts.get(receipt);
  if (found === undefined) throw new Error(`rows of an unknown batch received at ${receipt} were counted`);
  return found;
}

/** What became of all lines of a batch, when that of its rows is known, and how many of the `repeated` are superseded. */
export function countLines(
  { lines }: BarBatch,
  { inserted, updated, superseded: lost }: BatchCounts,
  repeated: number,
): WriteCounts {
  const superseded = lost + repeated;
  const counts = { inserted, updated, unchanged: lines - inserted - updated - superseded, superseded };
  return repeated > 0 ? { ...counts, repeated } : counts;
}

/**
 * What became of the lines of each batch, in the order given. Parts of one body, replayed from the dead letters, share its
 * time of receipt: they share what was counted, which is used up.
 */
export function shareCounts(
  batches: readonly ResolvedBatch[],
  counts: CountsByReceipt,
): readonly WriteCounts[] {
  return batches.map(({ batch }) => {
    const left = countsOf(counts, String(batch.receivedAt));
    const inserted = Math.min(left.inserted, batch.rows);
    const updated = Math.min(left.updated, batch.rows - inserted);
    const superseded = Math.min(left.superseded, batch.rows - inserted - updated);
    left.inserted -= inserted;
    left.updated -= updated;
    left.superseded -= superseded;
    let repeated = batch.superseded;
    if (batch.repeated && left.repeated !== undefined) {
      repeated = Math.min(left.repeated, batch.lines - batch.rows);
      left.repeated -= repeated;
    }
    return countLines(batch, { inserted, updated, superseded }, repeated);
  });
}
