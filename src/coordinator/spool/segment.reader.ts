import type { SpoolFile } from './spool.file-system.js';
import { crcOf, decodeHeader, HEADER_BYTES, RECORD_MAGIC, type RecordHeader } from './spool.record.js';

const CHUNK_BYTES = 256 * 1024;
const BLOCK_BYTES = 4_096;
/** A disk may take seconds to fail each read: after this many blocks in a row the rest of the segment is left for later. */
const MOST_BAD_BLOCKS = 64;

/**
 * What lies at an offset of a segment: a record; bytes that are no record, though more follows or they were once
 * whole (`damage`); a record that was never written to its end (`torn`), after which nothing comes; or bytes that the
 * disk does not read now (`unread`), of which nothing else is known unless the header could be read.
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
  | { readonly kind: 'torn'; readonly offset: number; readonly length: number }
  | {
      readonly kind: 'unread';
      readonly offset: number;
      readonly length: number;
      /** The record's, when it is one record whose header could be read. */
      readonly header: RecordHeader | undefined;
      readonly error: unknown;
    };

/** Where a search for the next header ended. */
interface Search {
  /** Undefined when there is none before the end. */
  readonly found: number | undefined;
  /** Why some of the bytes before it could not be read. */
  readonly failure: { readonly error: unknown } | undefined;
}

/** Reads a segment piece by piece, in order; never more of it than a chunk, or one record, at a time. */
export class SegmentReader {
  private chunk: { readonly from: number; readonly bytes: Buffer } = { from: 0, bytes: Buffer.alloc(0) };
  private end = 0;
  /** Below it a chunk could not be read: only what is needed is read there. */
  private exactBelow = 0;

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

  /** The next piece before `end`, or undefined when there is none. A disk that does not read makes no rejection. */
  async next(end: number): Promise<SegmentPiece | undefined> {
    const { offset } = this;
    this.end = end;
    if (offset >= end) return undefined;
    let header: RecordHeader | undefined;
    try {
      header = this.trusted(decodeHeader(await this.bytes(offset, Math.min(HEADER_BYTES, end - offset))));
      return header ? await this.record(offset, header, end) : await this.withoutHeader(offset, end);
    } catch (error) {
      return await this.unread(offset, end, header, error);
    }
  }

  /** The next header, when it is in memory and sound: small records, of which there may be millions, need no wait. */
  nextHeaderInMemory(end: number): RecordHeader | undefined {
    const header = this.trusted(decodeHeader(this.chunk.bytes, this.offset - this.chunk.from));
    if (!header) return undefined;
    const recordEnd = this.offset + HEADER_BYTES + header.length;
    if (recordEnd > end) return undefined;
    this.offset = recordEnd;
    return header;
  }

  private trusted(header: RecordHeader | undefined): RecordHeader | undefined {
    return header && header.sequence >= this.options.first ? header : undefined;
  }

  private async record(offset: number, header: RecordHeader, end: number): Promise<SegmentPiece> {
    const recordEnd = offset + HEADER_BYTES + header.length;
    const payload =
      this.options.payloads && recordEnd <= end
        ? await this.bytes(offset + HEADER_BYTES, header.length)
        : undefined;
    this.offset = Math.min(recordEnd, end);
    if (recordEnd > end) return { kind: 'torn', offset, length: end - offset };
    if (payload && crcOf([payload]) !== header.payloadCrc)
      return { kind: 'damage', offset, length: recordEnd - offset, header };
    return { kind: 'record', offset, header, payload };
  }

  /** Goes on at the next header that can be trusted. Bytes never written read as zeros: they are no damage. */
  private async withoutHeader(offset: number, end: number): Promise<SegmentPiece> {
    const { found, failure } = await this.findHeader(offset + 1, end);
    const length = (found ?? end) - offset;
    if (failure) {
      this.offset = offset + length;
      return { kind: 'unread', offset, length, header: undefined, error: failure.error };
    }
    const torn = found === undefined && (length < HEADER_BYTES || (await this.isZero(offset, end)));
    this.offset = offset + length;
    return torn ? { kind: 'torn', offset, length } : { kind: 'damage', offset, length, header: undefined };
  }

  /** Goes on behind the record, if its header could be read, or at the next header that can be. */
  private async unread(
    offset: number,
    end: number,
    header: RecordHeader | undefined,
    error: unknown,
  ): Promise<SegmentPiece> {
    const recordEnd = header && offset + HEADER_BYTES + header.length;
    const next = recordEnd ?? (await this.findHeader(offset + 1, end)).found ?? end;
    this.offset = next;
    return { kind: 'unread', offset, length: next - offset, header, error };
  }

  private async findHeader(from: number, end: number): Promise<Search> {
    let failure: Search['failure'];
    let badBlocks = 0;
    for (let at = from; at + HEADER_BYTES <= end;) {
      const blockEnd = Math.min(end, at + BLOCK_BYTES - (at % BLOCK_BYTES));
      let bytes: Buffer;
      try {
        bytes = await this.file.read(failure ? blockEnd - at : Math.min(CHUNK_BYTES, end - at), at);
        badBlocks = 0;
      } catch (error) {
        // The first failure may be any block of a chunk: from here on the search goes block by block.
        if (failure && ++badBlocks === MOST_BAD_BLOCKS) return { found: undefined, failure };
        if (failure) at = blockEnd;
        failure = { error };
        continue;
      }
      const search = await this.headerIn(bytes, at, end);
      failure ??= search.failure;
      if (search.found !== undefined) return { found: search.found, failure };
      // A magic may lie across the edge of two reads.
      at += Math.max(1, bytes.length - RECORD_MAGIC.length + 1);
    }
    return { found: undefined, failure };
  }

  private async headerIn(bytes: Buffer, at: number, end: number): Promise<Search> {
    let failure: Search['failure'];
    for (let hit = bytes.indexOf(RECORD_MAGIC); hit >= 0; hit = bytes.indexOf(RECORD_MAGIC, hit + 1)) {
      const found = at + hit;
      if (found + HEADER_BYTES > end) break;
      try {
        if (this.trusted(decodeHeader(await this.file.read(HEADER_BYTES, found)))) return { found, failure };
      } catch (error) {
        // Half of it lies in a block that is not read: it may be one, and what follows is no proof of damage.
        failure = { error };
      }
    }
    return { found: undefined, failure };
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
    if (length >= CHUNK_BYTES || from < this.exactBelow) return await this.file.read(length, from);
    // Headers far apart do not pay for a whole chunk each.
    const ahead =
      this.options.payloads || inChunk <= this.chunk.bytes.length + CHUNK_BYTES ? CHUNK_BYTES : BLOCK_BYTES;
    // Not beyond the end: what is being written there now would be remembered half done.
    const wanted = Math.min(Math.max(ahead, length), this.end - from);
    try {
      this.chunk = { from, bytes: await this.file.read(wanted, from) };
    } catch (error) {
      if (wanted <= length) throw error;
      this.exactBelow = from + wanted;
      return await this.file.read(length, from);
    }
    return this.chunk.bytes.subarray(0, length);
  }
}
