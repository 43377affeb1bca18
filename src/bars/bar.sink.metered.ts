import { SECOND } from '../config/units.js';
import type { Sink, Takes } from '../coordinator/sink.js';
import type { Metrics } from '../metrics/metrics.catalogue.js';
import type { BarBatch } from './bar.batch.js';
import { barBatchCodec } from './bar.batch.codec.js';
import type { NewestBars } from './newest.bars.js';
import { parseSeriesName } from './series.key.js';
import { OFFSET, timestampAt, TUPLE_BYTES, viewOf } from './tuple.js';
import type { WriteCounts } from './write.counts.js';

const OUTCOMES = ['inserted', 'updated', 'unchanged', 'superseded'] as const;

/** Counts what a sink commits. */
export class MeteredBarSink implements Sink<BarBatch, WriteCounts> {
  constructor(
    private readonly sink: Required<Sink<BarBatch, WriteCounts>>,
    private readonly metrics: Metrics,
    private readonly newest: NewestBars,
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
    // Lines that gave way to another of their body were never queued: with them, the rows committed would be more
    // than the rows accepted.
    batches.forEach(({ lines, rows }, index) => {
      const repeated = counts[index]?.repeated ?? 0;
      sum.superseded -= repeated;
      sum.unchanged -= lines - rows - repeated;
    });
    for (const outcome of OUTCOMES) this.metrics.rowsCommitted.inc({ outcome }, sum[outcome]);
    this.metrics.lastCommit.set(Date.now() / SECOND);
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
      this.newest.note(provider, interval, newest[index] ?? -Infinity);
    });
  }
}
