import type { BarBatch } from './bar.batch.js';
import { OFFSET, timestampAt, TUPLE_BYTES, viewOf } from './tuple.js';

/**
 * The bars of several batches, in the order of their receipt, as one that was received with the last. Undefined when two
 * of them are of one series and ts: each is a version of its own, and the earlier was received before the later.
 */
export function joinBatches(batches: readonly BarBatch[]): BarBatch | undefined {
  const tuples = Buffer.concat(batches.map((batch) => batch.tuples));
  const view = viewOf(tuples);
  const series: string[] = [];
  const indexes = new Map<string, number>();
  const lastTs: number[] = [];
  const years = new Set<number>();
  let lines = 0;
  let at = 0;
  for (const batch of batches) {
    lines += batch.lines;
    for (const year of batch.years) years.add(year);
    for (const end = at + batch.tuples.length; at < end; at += TUPLE_BYTES) {
      const name = batch.series[view.getInt32(at + OFFSET.series)];
      if (name === undefined) throw new Error('a tuple names a series that is not in its batch');
      let index = indexes.get(name);
      if (index === undefined) indexes.set(name, (index = series.push(name) - 1));
      view.setInt32(at + OFFSET.series, index);
      const ts = timestampAt(view, at + OFFSET.ts);
      const last = lastTs[index] ?? -Infinity;
      if (ts <= last && isThereBefore(view, at)) return undefined;
      lastTs[index] = Math.max(ts, last);
    }
  }
  const rows = tuples.length / TUPLE_BYTES;
  return { rows, lines, series, years, tuples, receivedAt: batches.at(-1)?.receivedAt ?? 0 };
}

/** Whether a tuple before the one at `at` has the same series and ts. */
function isThereBefore(view: DataView, at: number): boolean {
  const series = view.getInt32(at + OFFSET.series);
  const ts = view.getBigInt64(at + OFFSET.ts);
  for (let before = 0; before < at; before += TUPLE_BYTES) {
    if (view.getInt32(before + OFFSET.series) !== series) continue;
    if (view.getBigInt64(before + OFFSET.ts) === ts) return true;
  }
  return false;
}
