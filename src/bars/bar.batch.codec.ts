import type { EntryCodec } from '../coordinator/durable.options.js';
import type { BarBatch } from './bar.batch.js';
import { joinBatches } from './bar.batch.join.js';
import { parseSeriesName } from './series.key.js';
import { formatTimestamp, yearOf } from './timestamp.js';
import { tuplePool } from './tuple.pool.js';
import { OFFSET, readTimestamp, TUPLE_BYTES } from './tuple.js';
import type { WriteCounts } from './write.counts.js';

const LENGTH_BYTES = 4;
const KEEPS = 'on_conflict=keep';

/**
 * A batch as bytes: the length of its head, the head, and the tuples as they are. The head is text: a line with the
 * number of lines accepted, the years, and the number of superseded lines if there are any, then the name of each series.
 * Before the names of a batch that keeps what is stored stands a line that is none, which a build that knows nothing of it
 * refuses to read.
 */
export const barBatchCodec: EntryCodec<BarBatch, WriteCounts> = {
  encode(batch) {
    // A part of a batch has the dictionary of the whole; joined, it has only the series of its own bars.
    const own = batch.rows < batch.series.length ? joinBatches([batch]) : undefined;
    const { lines, superseded, years, series, tuples, onConflict } = own ?? batch;
    const replaced = superseded > 0 ? ` ${superseded}` : '';
    const mark = onConflict === 'keep' ? `\n${KEEPS}` : '';
    return [headOf(`${lines} ${[...years].join(',')}${replaced}${mark}`, series), tuples];
  },

  decode(payload, time) {
    const headEnd = LENGTH_BYTES + payload.readUInt32BE();
    const [first = '', ...names] = payload.toString('latin1', LENGTH_BYTES, headEnd).split('\n');
    const [lines = '', years = '', superseded = '0'] = first.split(' ');
    const tuples = payload.subarray(headEnd);
    const keeps = names[0] === KEEPS;
    const series = keeps ? names.slice(1) : names;
    series.forEach(parseSeriesName);
    return {
      rows: tuples.length / TUPLE_BYTES,
      lines: Number(lines),
      superseded: Number(superseded),
      years: new Set(years.split(',').map(Number)),
      series,
      tuples,
      onConflict: keeps ? 'keep' : 'replace',
      receivedAt: time,
    };
  },

  timeOf: ({ receivedAt }) => receivedAt,

  recycle: ({ tuples }) => tuplePool.giveBack(tuples),

  join: joinBatches,

  show({ series, tuples, rows }, limit) {
    return Array.from({ length: Math.min(rows, limit) }, (_, row) => {
      const at = row * TUPLE_BYTES;
      const number = (field: 'open' | 'high' | 'low' | 'close' | 'volume') =>
        tuples.readDoubleBE(at + OFFSET[field]);
      return {
        ...parseSeriesName(series[tuples.readInt32BE(at + OFFSET.series)] ?? ''),
        ts: formatTimestamp(readTimestamp(tuples, at + OFFSET.ts)),
        open: number('open'),
        high: number('high'),
        low: number('low'),
        close: number('close'),
        volume: number('volume'),
      };
    });
  },

  describe: ({ onConflict }) => ({ on_conflict: onConflict }),

  slice(batch, from, end) {
    const tuples = batch.tuples.subarray(from * TUPLE_BYTES, end * TUPLE_BYTES);
    const rows = end - from;
    // Lines that gave way to another of their body are counted with the first part.
    const lines = from === 0 ? batch.lines - (batch.rows - end) : rows;
    const superseded = from === 0 ? batch.superseded : 0;
    // With years of its own: one of a year that cannot be stored must not keep the others from being.
    const years = batch.years.size === 1 ? batch.years : yearsOf(tuples);
    return { ...batch, rows, lines, superseded, repeated: undefined, years, tuples };
  },

  /** The partitions: a kind is a UTC year. */
  *kinds({ rows, years, tuples }) {
    const [only = 0] = years;
    if (years.size === 1) {
      yield { kind: only, rows };
      return;
    }
    let from = 0;
    for (let row = 1, kind = yearAt(tuples, 0); row <= rows; row++) {
      const next = row < rows ? yearAt(tuples, row) : NaN;
      if (next === kind) continue;
      yield { kind, rows: row - from };
      from = row;
      kind = next;
    }
  },

  sum: (results) =>
    results.reduce((sum, { inserted, updated, unchanged, superseded }) => ({
      inserted: sum.inserted + inserted,
      updated: sum.updated + updated,
      unchanged: sum.unchanged + unchanged,
      superseded: sum.superseded + superseded,
    })),
};

function yearsOf(tuples: Buffer): ReadonlySet<number> {
  const years = new Set<number>();
  for (let row = 0; row < tuples.length / TUPLE_BYTES; row++) years.add(yearAt(tuples, row));
  return years;
}

function yearAt(tuples: Buffer, row: number): number {
  return yearOf(readTimestamp(tuples, row * TUPLE_BYTES + OFFSET.ts));
}

/** A longer head is not kept. */
const MOST_HEAD_BYTES = 262_144;

/** The head made last: a feed names the same series in the same order in one body after the other. */
let last = { line: '', series: [] as readonly string[], head: Buffer.alloc(0) };

function headOf(line: string, series: readonly string[]): Buffer {
  if (line === last.line && areSame(series, last.series)) return last.head;
  const text = `${line}\n${series.join('\n')}`;
  const head = Buffer.allocUnsafe(LENGTH_BYTES + text.length);
  head.writeUInt32BE(text.length);
  head.write(text, LENGTH_BYTES, 'latin1');
  if (head.length <= MOST_HEAD_BYTES) last = { line, series, head };
  return head;
}

function areSame(names: readonly string[], others: readonly string[]): boolean {
  return names.length === others.length && names.every((name, at) => name === others[at]);
}
