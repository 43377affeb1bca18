import type { ResolvedBatch } from './resolved.batch.js';
import type { WriteCounts } from './write.counts.js';

/** What became of the bars of one batch. */
export interface BatchCounts {
  inserted: number;
  updated: number;
  superseded: number;
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
    const lost = Math.min(left.superseded, batch.rows - inserted - updated);
    left.inserted -= inserted;
    left.updated -= updated;
    left.superseded -= lost;
    const superseded = lost + batch.superseded;
    return { inserted, updated, unchanged: batch.lines - inserted - updated - superseded, superseded };
  });
}
