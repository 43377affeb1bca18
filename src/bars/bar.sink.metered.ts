import type { Sink, Takes } from '../coordinator/sink.js';
import type { Metrics } from '../metrics/metrics.catalogue.js';
import type { BarBatch } from './bar.batch.js';
import { barBatchCodec } from './bar.batch.codec.js';
import { parseSeriesName } from './series.key.js';
import { OFFSET, timestampAt, TUPLE_BYTES, viewOf } from './tuple.js';
import type { WriteCounts } from './write.counts.js';

/** Most pairs of provider and interval that are told apart. */
const MOST_LABELS = 1_000;
const OUTCOMES = ['inserted', 'updated', 'unchanged', 'superseded'] as const;
const MICROS_PER_SECOND = 1_000_000;

/** Counts what a sink commits. */
export class MeteredBarSink implements Sink<BarBatch, WriteCounts> {
  private readonly newest = new Map<string, number>();

  constructor(
    private readonly sink: Required<Sink<BarBatch, WriteCounts>>,
    private readonly metrics: Metrics,
  ) {}

  takesOthers(refused: readonly BarBatch[]): Promise<Takes> {
    return this.sink.takesOthers(refused);
  }

  tryEach(batches: readonly BarBatch[]): Promise<readonly (Error | undefined)[]> {
    return this.sink.tryEach(batches);
  }

  async write(batches: readonly BarBatch[]): Promise<readonly WriteCounts[]> {
    const counts = await this.sink.write(batches);
    const sum = { ...barBatchCodec.sum(counts) };
    // Lines that a later line of their body replaced were never queued: with them, the rows committed would be more
    // than the rows accepted.
    for (const { lines, rows, superseded } of batches) {
      sum.superseded -= superseded;
      sum.unchanged -= lines - rows - superseded;
    }
    for (const outcome of OUTCOMES) this.metrics.rowsCommitted.inc({ outcome }, sum[outcome]);
    for (const batch of batches) this.noteNewest(batch);
    return counts;
  }

  /** The newest ts of each provider and interval, over the tuples: one read and one comparison a row. */
  private noteNewest({ series, tuples }: BarBatch): void {
    const newest = new Float64Array(series.length).fill(-Infinity);
    const view = viewOf(tuples);
    for (let at = 0; at < tuples.length; at += TUPLE_BYTES) {
      const index = view.getInt32(at + OFFSET.series);
      const ts = timestampAt(view, at + OFFSET.ts);
      if (ts > (newest[index] ?? Infinity)) newest[index] = ts;
    }
    // Neighbours in the dictionary mostly have provider and interval in common.
    let provider = '';
    let interval = '';
    series.forEach((key, index) => {
      if (!key.startsWith(`${provider} `) || !key.endsWith(` ${interval}`))
        ({ provider, interval } = parseSeriesName(key));
      const name = `${provider} ${interval}`;
      const ts = newest[index] ?? -Infinity;
      if (ts <= (this.newest.get(name) ?? -Infinity)) return;
      // Names come from clients: without a bound they could make any number of time series.
      if (!this.newest.has(name) && this.newest.size >= MOST_LABELS) return;
      this.newest.set(name, ts);
      this.metrics.lastBar.set({ provider, interval }, ts / MICROS_PER_SECOND);
    });
  }
}
