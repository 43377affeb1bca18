import { crc32 } from 'node:zlib';

import { crcOf, encodeHeader, HEADER_BYTES } from './spool.record.js';

/** An entry as bytes. */
export interface GroupEntry {
  readonly input: { readonly payload: readonly Buffer[]; readonly rows: number; readonly time: number };
  /** Of its record. */
  readonly bytes: number;
}

/** A record up to this size is copied: the kernel takes one large part faster than many small ones. */
const SMALL_BYTES = 4_096;

/** The bytes of a group's records, the first of which gets the sequence number `first`. */
export function groupBytes(group: readonly GroupEntry[], first: number): Buffer[] {
  const block = Buffer.allocUnsafe(group.reduce((sum, append) => sum + bytesInBlock(append), 0));
  const parts: Buffer[] = [];
  let from = 0;
  let at = 0;
  group.forEach((append, index) => {
    const { bytes } = append;
    const { payload, rows, time } = append.input;
    const begin = at + HEADER_BYTES;
    const end = at + bytesInBlock(append);
    const small = end > begin;
    if (small) copyInto(block, begin, payload);
    const payloadCrc = small ? crc32(block.subarray(begin, end)) : crcOf(payload);
    const header = { sequence: first + index, time, rows, length: bytes - HEADER_BYTES, payloadCrc };
    encodeHeader(header, block.subarray(at, begin));
    at = end;
    if (small) return;
    parts.push(block.subarray(from, at), ...payload);
    from = at;
  });
  if (from < at) parts.push(block.subarray(from, at));
  return parts;
}

function bytesInBlock({ bytes }: GroupEntry): number {
  return bytes <= SMALL_BYTES ? bytes : HEADER_BYTES;
}

function copyInto(block: Buffer, at: number, payload: readonly Buffer[]): void {
  for (const part of payload) at += part.copy(block, at);
}
