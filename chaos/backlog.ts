import type { BarBatch } from '../src/bars/bar.batch.js';
import { barBatchCodec } from '../src/bars/bar.batch.codec.js';
import { seriesName } from '../src/bars/series.key.js';
import { OFFSET, TUPLE_BYTES, TUPLE_TEMPLATE, writeTimestamp } from '../src/bars/tuple.js';
import { Spool } from '../src/coordinator/spool/spool.js';
import { FIRST_TS } from './bar.keys.js';

const ROWS = 10_000;
const AT_ONCE = 16;
const MICROS = 1_000_000;

/** `ts` of a bar in epoch seconds. */
const tsOf = (bar: number): number => FIRST_TS + bar * 60;

/** Writes bars of one symbol into a spool, as a service does that cannot reach its database. @returns their number */
export async function writeBacklog(directory: string, symbol: string, bytes: number): Promise<number> {
  const spool = await Spool.open<undefined>({ directory, maxBytes: 2 * bytes, retainMs: 0, tailBytes: 0 });
  const batches = Math.ceil(bytes / (ROWS * TUPLE_BYTES));
  const startedAt = Date.now() * 1_000;
  for (let batch = 0; batch < batches; batch += AT_ONCE) {
    const group = Array.from({ length: Math.min(AT_ONCE, batches - batch) }, (_, index) =>
      spool.append({
        payload: barBatchCodec.encode(barsFrom(symbol, (batch + index) * ROWS, startedAt + batch + index)),
        rows: ROWS,
        time: startedAt + batch + index,
        entry: undefined,
      }),
    );
    await Promise.all(group);
  }
  await spool.close();
  return batches * ROWS;
}

function barsFrom(symbol: string, first: number, receivedAt: number): BarBatch {
  const tuples = Buffer.alloc(ROWS * TUPLE_BYTES, TUPLE_TEMPLATE);
  for (let row = 0; row < ROWS; row++)
    writeTimestamp(tuples, tsOf(first + row) * MICROS, row * TUPLE_BYTES + OFFSET.ts);
  const yearOf = (bar: number) => new Date(tsOf(bar) * 1_000).getUTCFullYear();
  return {
    rows: ROWS,
    lines: ROWS,
    superseded: 0,
    series: [seriesName('chaos', symbol, '1m')],
    years: new Set([yearOf(first), yearOf(first + ROWS - 1)]),
    tuples,
    onConflict: 'replace',
    receivedAt,
  };
}
