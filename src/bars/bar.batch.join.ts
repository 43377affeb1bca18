import type { BarBatch } from './bar.batch.js';
import { OFFSET, timestampAt, TUPLE_BYTES, viewOf } from './tuple.js';

/**
 * The bars of several batches, in the order of their receipt, as one that was received with the last. Undefined when two
 * of them are of one series and ts: each is a version of its own, and the earlier was received before the later. Undefined
 * also when some of the batches replace what is stored and others keep it.
 */
export function joinBatches(batches: readonly BarBatch[]): BarBatch | undefined {
  const { onConflict = 'replace', receivedAt = 0 } = batches.at(-1) ?? {};
  if (batches.some((batch) => batch.onConflict !== onConflict)) return undefined;
  const tuples = Buffer.concat(batches.map((batch) => batch.tuples));
  const view = viewOf(tuples);
  const series: string[] = [];
  const indexes = new Map<string, number>();
  const lastTs: number[] = [];
  /** Of series whose bars do not come in the order of time. */
  const seen: Set<number>[] = [];
  const years = new Set<number>();
  let lines = 0;
  let superseded = 0;
  let at = 0;
  for (const batch of batches) {
    lines += batch.lines;
    superseded += batch.superseded;
    for (const year of batch.years) years.add(year);
    for (const end = at + batch.tuples.length; at < end; at += TUPLE_BYTES) {
      const name = batch.series[view.getInt32(at + OFFSET.series)];
      if (name === undefined) throw new Error('a tuple names a series that is not in its batch');
      let index = indexes.get(name);
      if (index === undefined) indexes.set(name, (index = series.push(name) - 1));
      const ts = timestampAt(view, at + OFFSET.ts);
      const last = lastTs[index] ?? -Infinity;
      if (ts <= last && (seen[index] ??= timesOf(view, index, at)).has(ts)) return undefined;
      seen[index]?.add(ts);
      lastTs[index] = Math.max(ts, last);
      view.setInt32(at + OFFSET.series, index);
    }
  }
  const rows = tuples.length / TUPLE_BYTES;
  return { rows, lines, superseded, series, years, tuples, onConflict, receivedAt };
}

/** The ts of the tuples of a series that lie before `end`. */
function timesOf(view: DataView, series: number, end: number): Set<number> {
  const times = new Set<number>();
  for (let at = 0; at < end; at += TUPLE_BYTES)
    if (view.getInt32(at + OFFSET.series) === series) times.add(timestampAt(view, at + OFFSET.ts));
  return times;
}
