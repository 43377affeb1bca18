import type { SpoolFile } from './spool.file-system.js';
import { crcOf, decodeHeader, HEADER_BYTES, RECORD_MAGIC, type RecordHeader } from './spool.record.js';

const CHUNK_BYTES = 256 * 1024;

/**
 * What lies at an offset of a segment: a record; bytes that are no record, though more follows or they were once
 * whole (`damage`); or a record that was never written to its end (`torn`), after which nothing comes.
 */
export type SegmentPiece =
  | {
      readonly kind: 'record';
      readonly offset: number;
      readonly header: RecordHeader;
      /** Undefined when only headers were asked for. */
      readonly payload: Buffer | undefined;
    }
  | {
      readonly kind: 'damage';
      readonly offset: number;
      readonly length: number;
      /** The record's, when its header can still be read. */
      readonly header: RecordHeader | undefined;
    }
  | { readonly kind: 'torn'; readonly offset: number; readonly length: number };

/** Reads a segment piece by piece, in order; never more of it than a chunk, or one record, at a time. */
export class SegmentReader {
  private chunk: { readonly from: number; readonly bytes: Buffer } = { from: 0, bytes: Buffer.alloc(0) };
  private end = 0;

  /** Offset of the next piece. */
  offset: number;

  constructor(
    private readonly file: Pick<SpoolFile, 'read'>,
    private readonly options: {
      /** Where to begin: an offset at which a record begins. */
      readonly from?: number;
      /** The segment's first sequence number; smaller ones cannot be records of it. */
      readonly first: number;
      /** False: only headers are read, which skips what lies between them. */
      readonly payloads: boolean;
    },
  ) {
    this.offset = options.from ?? 0;
  }

  /** The next piece before `end`, or undefined when there is none. */
  async next(end: number): Promise<SegmentPiece | undefined> {
    const { offset } = this;
    this.end = end;
    if (offset >= end) return undefined;
    const header = decodeHeader(await this.bytes(offset, Math.min(HEADER_BYTES, end - offset)));
    if (!header || header.sequence < this.options.first) return await this.unreadable(offset, end);
    const recordEnd = offset + HEADER_BYTES + header.length;
    const payload =
      this.options.payloads && recordEnd <= end
        ? await this.bytes(offset + HEADER_BYTES, header.length)
        : undefined;
    // Only now: a read that failed is tried again, and must find the same record.
    this.offset = Math.min(recordEnd, end);
    if (recordEnd > end) return { kind: 'torn', offset, length: end - offset };
    if (payload && crcOf([payload]) !== header.payloadCrc)
      return { kind: 'damage', offset, length: recordEnd - offset, header };
    return { kind: 'record', offset, header, payload };
  }

  /** The next header, when it is in memory and sound: small records, of which there may be millions, need no wait. */
  nextHeaderInMemory(end: number): RecordHeader | undefined {
    const header = decodeHeader(this.chunk.bytes, this.offset - this.chunk.from);
    if (!header || header.sequence < this.options.first) return undefined;
    const recordEnd = this.offset + HEADER_BYTES + header.length;
    if (recordEnd > end) return undefined;
    this.offset = recordEnd;
    return header;
  }

  /** Goes on at the next header that can be trusted. Bytes never written read as zeros: they are no damage. */
  private async unreadable(offset: number, end: number): Promise<SegmentPiece> {
    const next = await this.findHeader(offset + 1, end);
    const length = (next ?? end) - offset;
    const torn = next === undefined && (length < HEADER_BYTES || (await this.isZero(offset, end)));
    this.offset = offset + length;
    return torn ? { kind: 'torn', offset, length } : { kind: 'damage', offset, length, header: undefined };
  }

  private async findHeader(from: number, end: number): Promise<number | undefined> {
    for (let at = from; at + HEADER_BYTES <= end;) {
      const bytes = await this.bytes(at, Math.min(CHUNK_BYTES, end - at));
      for (let hit = bytes.indexOf(RECORD_MAGIC); hit >= 0; hit = bytes.indexOf(RECORD_MAGIC, hit + 1)) {
        if (at + hit + HEADER_BYTES > end) return undefined;
        const header = decodeHeader(await this.bytes(at + hit, HEADER_BYTES));
        if (header && header.sequence >= this.options.first) return at + hit;
      }
      // A magic may lie across the edge of two chunks.
      at += Math.max(1, bytes.length - RECORD_MAGIC.length + 1);
    }
    return undefined;
  }

  private async isZero(from: number, end: number): Promise<boolean> {
    for (let at = from; at < end; at += CHUNK_BYTES) {
      const bytes = await this.bytes(at, Math.min(CHUNK_BYTES, end - at));
      if (bytes.some((byte) => byte !== 0)) return false;
    }
    return true;
  }

  private async bytes(from: number, length: number): Promise<Buffer> {
    const inChunk = from - this.chunk.from;
    if (inChunk >= 0 && inChunk + length <= this.chunk.bytes.length)
      return this.chunk.bytes.subarray(inChunk, inChunk + length);
    if (length >= CHUNK_BYTES) return await this.file.read(length, from);
    // Headers far apart do not pay for a whole chunk each.
    const ahead =
      this.options.payloads || inChunk <= this.chunk.bytes.length + CHUNK_BYTES ? CHUNK_BYTES : 4_096;
    // Not beyond the end: what is being written there now would be remembered half done.
    this.chunk = { from, bytes: await this.file.read(Math.min(ahead, this.end - from), from) };
    return this.chunk.bytes.subarray(0, length);
  }
}
