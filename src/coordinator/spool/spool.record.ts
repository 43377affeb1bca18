import { crc32 } from 'node:zlib';

/**
 * A record in a segment: a header of 36 bytes, then the payload. All numbers are big-endian.
 *
 * | offset | bytes | field                                              |
 * | ------ | ----- | -------------------------------------------------- |
 * | 0      | 4     | "MDS1", by which a reader finds the next record     |
 * | 4      | 4     | payload length                                     |
 * | 8      | 8     | sequence number                                    |
 * | 16     | 8     | time of receipt, Unix microseconds, as a double    |
 * | 24     | 4     | rows                                               |
 * | 28     | 4     | CRC-32 of the payload                              |
 * | 32     | 4     | CRC-32 of the 32 bytes before                      |
 *
 * The header has a checksum of its own: when only the payload is damaged the length can still be trusted, and
 * with it where the next record begins.
 */
export const HEADER_BYTES = 36;

/** First bytes of every record. */
export const RECORD_MAGIC = Buffer.from('MDS1', 'latin1');

const MAGIC_NUMBER = RECORD_MAGIC.readUInt32BE();

const AT = { length: 4, sequence: 8, time: 16, rows: 24, payloadCrc: 28, headerCrc: 32 } as const;
const TWO_32 = 2 ** 32;

/** What a record says of its payload. */
export interface RecordHeader {
  /** Counts up from 1, without gaps unless a write failed. */
  readonly sequence: number;
  /** When the entry was received: Unix epoch, microseconds. */
  readonly time: number;
  readonly rows: number;
  /** Bytes of payload. */
  readonly length: number;
  readonly payloadCrc: number;
}

/** CRC-32 over parts that lie one after the other. */
export function crcOf(parts: readonly Buffer[]): number {
  return parts.reduce((crc, part) => crc32(part, crc), 0);
}

/** The header's bytes; those of `target`, when it is given. */
export function encodeHeader(
  { sequence, time, rows, length, payloadCrc }: RecordHeader,
  header = Buffer.allocUnsafe(HEADER_BYTES),
): Buffer {
  header.writeUInt32BE(MAGIC_NUMBER);
  header.writeUInt32BE(length, AT.length);
  header.writeUInt32BE(Math.floor(sequence / TWO_32), AT.sequence);
  header.writeUInt32BE(sequence % TWO_32, AT.sequence + 4);
  header.writeDoubleBE(time, AT.time);
  header.writeUInt32BE(rows, AT.rows);
  header.writeUInt32BE(payloadCrc, AT.payloadCrc);
  header.writeUInt32BE(crc32(header.subarray(0, AT.headerCrc)), AT.headerCrc);
  return header;
}

/** The header at `offset`, or undefined when there is no whole and undamaged one. */
export function decodeHeader(bytes: Buffer, offset = 0): RecordHeader | undefined {
  if (bytes.length < offset + HEADER_BYTES || bytes.readUInt32BE(offset) !== MAGIC_NUMBER) return undefined;
  const crc = crc32(bytes.subarray(offset, offset + AT.headerCrc));
  if (crc !== bytes.readUInt32BE(offset + AT.headerCrc)) return undefined;
  return {
    length: bytes.readUInt32BE(offset + AT.length),
    sequence:
      bytes.readUInt32BE(offset + AT.sequence) * TWO_32 + bytes.readUInt32BE(offset + AT.sequence + 4),
    time: bytes.readDoubleBE(offset + AT.time),
    rows: bytes.readUInt32BE(offset + AT.rows),
    payloadCrc: bytes.readUInt32BE(offset + AT.payloadCrc),
  };
}
