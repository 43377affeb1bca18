import { once } from 'node:events';
import { finished } from 'node:stream/promises';

import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

import type { BarBatch } from './bar.batch.js';
import { OFFSET, TUPLE_BYTES, writeTimestamp } from './tuple.js';

/** Signature, flags and header extension of the binary COPY format. */
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);

/** About 128 KiB: fewer socket writes than one per row, and little held twice. */
const CHUNK_ROWS = 1_400;

/** One batch and the series id of each entry of its dictionary. */
export interface ResolvedBatch {
  readonly batch: BarBatch;
  readonly ids: Int32Array;
}

/** Sends the batches to a table with the columns of a bar, in one COPY. */
export async function copyBars(
  client: PoolClient,
  table: 'bars' | 'bars_staging',
  batches: readonly ResolvedBatch[],
): Promise<void> {
  const stream = client.query(copyFrom(`COPY ${table} FROM STDIN (FORMAT binary)`));
  const done = finished(stream);
  // Waited for below; this keeps an early failure from being unhandled while we wait for the socket to drain.
  done.catch(() => undefined);
  const send = async (chunk: Buffer): Promise<void> => {
    if (!stream.write(chunk)) await Promise.race([once(stream, 'drain'), done]);
  };

  await send(HEADER);
  for (const { batch, ids } of batches) {
    for (let row = 0; row < batch.rows; row += CHUNK_ROWS) {
      await send(filledIn(batch, ids, row, Math.min(row + CHUNK_ROWS, batch.rows)));
    }
  }
  stream.end(TRAILER);
  await done;

  const rows = batches.reduce((sum, { batch }) => sum + batch.rows, 0);
  if (stream.rowCount !== rows) {
    throw new Error(`COPY into ${table} took ${stream.rowCount} of ${rows} rows`);
  }
}

/** A copy of some tuples with series id and time of receipt in place; the batch itself stays as it is for a retry. */
function filledIn(batch: BarBatch, ids: Int32Array, first: number, end: number): Buffer {
  const chunk = Buffer.from(batch.tuples.subarray(first * TUPLE_BYTES, end * TUPLE_BYTES));
  for (let at = 0; at < chunk.length; at += TUPLE_BYTES) {
    const id = ids[chunk.readInt32BE(at + OFFSET.series)];
    if (id === undefined) throw new Error('a tuple names a series that is not in its batch');
    chunk.writeInt32BE(id, at + OFFSET.series);
    writeTimestamp(chunk, batch.receivedAt, at + OFFSET.receivedAt);
  }
  return chunk;
}
