import { once } from 'node:events';
import { finished } from 'node:stream/promises';

import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

import type { BarBatch } from './bar.batch.js';
import type { KeyOrder } from './key.order.js';
import type { ResolvedBatch } from './resolved.batch.js';
import { copyTuple, OFFSET, TUPLE_BYTES, viewOf, writeTimestamp } from './tuple.js';

/** Signature, flags and header extension of the binary COPY format. */
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);

/** Of a tuple, by name: a table that a newer version gave one more column is written as before. */
const COLUMNS = 'series_id, ts, open, high, low, close, volume, received_at';

/** About 128 KiB: fewer socket writes than one per row, and little held twice. */
const CHUNK_ROWS = 1_400;

/**
 * Sends tuples of the batches to a table with the columns of a bar, in the order given, in one COPY. `andThen` is SQL that
 * is sent along and done after it, without a round trip of its own; not when the COPY fails.
 */
export async function copyBars(
  client: PoolClient,
  table: 'bars' | 'bars_staging' | 'bars_versions',
  batches: readonly ResolvedBatch[],
  order: KeyOrder,
  andThen = '',
): Promise<void> {
  const stream = client.query(copyFrom(`COPY ${table} (${COLUMNS}) FROM STDIN (FORMAT binary); ${andThen}`));
  const done = finished(stream);
  // Waited for below; this keeps an early failure from being unhandled while we wait for the socket to drain.
  done.catch(() => undefined);
  const send = async (chunk: Buffer): Promise<void> => {
    if (!stream.write(chunk)) await Promise.race([once(stream, 'drain'), done]);
  };

  const rows = order.at.length;
  const gather = gatherer(batches, order);
  await send(HEADER);
  for (let row = 0; row < rows; row += CHUNK_ROWS) await send(gather(row, Math.min(row + CHUNK_ROWS, rows)));
  stream.end(TRAILER);
  await done;

  if (stream.rowCount !== rows) {
    throw new Error(`COPY into ${table} took ${stream.rowCount} of ${rows} rows`);
  }
}

/**
 * Copies tuples together, with series id and time of receipt in place; the batches themselves stay as they are for a
 * retry.
 */
function gatherer(
  batches: readonly ResolvedBatch[],
  order: KeyOrder,
): (first: number, end: number) => Buffer {
  const sources = batches.map(({ batch, ids }) => ({
    ids,
    view: viewOf(batch.tuples),
    receivedAt: receivedAtOf(batch),
  }));
  return (first, end) => {
    const chunk = Buffer.allocUnsafe((end - first) * TUPLE_BYTES);
    const view = viewOf(chunk);
    for (let row = first, to = 0; row < end; row++, to += TUPLE_BYTES) {
      const source = sources[order.batch[row] ?? 0];
      if (source === undefined) throw new Error('an order names a batch that is not among those written');
      copyTuple(source.view, order.at[row] ?? 0, view, to);
      view.setInt32(to + OFFSET.series, source.ids[view.getInt32(to + OFFSET.series)] ?? 0);
      view.setInt32(to + OFFSET.receivedAt, source.receivedAt.getInt32(0));
      view.setInt32(to + OFFSET.receivedAt + 4, source.receivedAt.getInt32(4));
    }
    return chunk;
  };
}

/** A batch's time of receipt as its tuples have it. */
function receivedAtOf({ receivedAt }: BarBatch): DataView {
  const bytes = Buffer.alloc(8);
  writeTimestamp(bytes, receivedAt, 0);
  return viewOf(bytes);
}
