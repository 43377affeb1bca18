/**
 * The binary COPY tuple of one bar, as PostgreSQL reads it (documentation, "COPY", "Binary Format"): a 16-bit
 * field count, then for each field its 32-bit length and its bytes, all big-endian. Every field of a bar has
 * a fixed width, so a batch is an array of tuples of TUPLE_BYTES, and a value can be replaced in place.
 *
 * Fields in order: series_id int4, ts timestamptz, open, high, low, close, volume float8, received_at timestamptz.
 */
export const TUPLE_BYTES = 94;

/** Offset of each field's value inside a tuple. */
export const OFFSET = {
  series: 6,
  ts: 14,
  open: 26,
  high: 38,
  low: 50,
  close: 62,
  volume: 74,
  receivedAt: 86,
} as const;

/** A tuple with its field count and lengths in place and all values zero. */
export const TUPLE_TEMPLATE: Buffer = (() => {
  const tuple = Buffer.alloc(TUPLE_BYTES);
  tuple.writeInt16BE(8, 0);
  tuple.writeInt32BE(4, OFFSET.series - 4);
  for (const at of [
    OFFSET.ts,
    OFFSET.open,
    OFFSET.high,
    OFFSET.low,
    OFFSET.close,
    OFFSET.volume,
    OFFSET.receivedAt,
  ]) {
    tuple.writeInt32BE(8, at - 4);
  }
  return tuple;
})();

/** PostgreSQL counts timestamps in microseconds from 2000-01-01T00:00:00Z; this is that instant in Unix microseconds. */
export const POSTGRES_EPOCH_US = 946_684_800_000_000;

const TWO_32 = 2 ** 32;

/** Writes an instant (Unix epoch, microseconds, a safe integer) as a timestamptz value. */
export function writeTimestamp(target: Buffer, unixMicros: number, offset: number): void {
  const value = unixMicros - POSTGRES_EPOCH_US;
  const high = Math.floor(value / TWO_32);
  target.writeInt32BE(high, offset);
  target.writeUInt32BE(value - high * TWO_32, offset + 4);
}

/** Reads a timestamptz value as Unix epoch microseconds. */
export function readTimestamp(source: Buffer, offset: number): number {
  return source.readInt32BE(offset) * TWO_32 + source.readUInt32BE(offset + 4) + POSTGRES_EPOCH_US;
}

/** The same through a view, which costs a fifth. */
export function timestampAt(view: DataView, offset: number): number {
  return view.getInt32(offset) * TWO_32 + view.getUint32(offset + 4) + POSTGRES_EPOCH_US;
}

/** The bytes of a buffer, big-endian unless told otherwise. */
export function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/**
 * Copies one tuple. By 32-bit words: a call into Node for 94 bytes costs twice as much, and a 64-bit float read and
 * written may come out as another NaN.
 */
export function copyTuple(source: DataView, from: number, target: DataView, to: number): void {
  const words = TUPLE_BYTES - (TUPLE_BYTES % 4);
  for (let at = 0; at < words; at += 4) target.setInt32(to + at, source.getInt32(from + at));
  target.setInt16(to + words, source.getInt16(from + words));
}
