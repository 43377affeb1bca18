import { setTimeout as sleep } from 'node:timers/promises';

import { firstNumberOf, segmentNames } from './segment.js';
import { SegmentReader, type SegmentPiece } from './segment.reader.js';
import type { SpoolFile, SpoolFileSystem } from './spool.file-system.js';
import { HEADER_BYTES, type RecordHeader } from './spool.record.js';

/** How often, and after how many milliseconds, bytes that may be under write are looked at again. */
const LOOKS = 5;
const LOOK_MS = 100;

/** A segment as it lies on disk. */
export interface SegmentFile {
  readonly name: string;
  readonly path: string;
  /** No record in it has a smaller sequence number. */
  readonly first: number;
  /** Where the next segment's numbers begin; Infinity for the newest, the only one that may be under write. */
  readonly end: number;
}

/** What lies at an offset of a segment, and what the spool makes of it. */
export type Found =
  | (Extract<SegmentPiece, { kind: 'record' }> & {
      /** Bytes, header included. */
      readonly length: number;
      /** The write of it failed, and its number was given anew in the next segment: readers pass over it. */
      readonly superseded: boolean;
    })
  | {
      readonly kind: 'damage';
      readonly offset: number;
      readonly length: number;
      /** The record's, when its header can be read. */
      readonly header: RecordHeader | undefined;
      readonly why: 'header' | 'payload' | 'order';
    }
  | Extract<SegmentPiece, { kind: 'torn' | 'unread' }>;

/** How a segment is read. */
export interface SurveyOptions {
  /** False: only headers are read and checked. */
  readonly payloads: boolean;
  /** True when a service may be writing: damage in the newest segment counts once it stays as it is. */
  readonly live: boolean;
}

/** The segments in a spool's directory, oldest first. */
export async function listSegments(files: SpoolFileSystem, directory: string): Promise<SegmentFile[]> {
  const names = segmentNames(await files.list(directory));
  return names.map((name, index) => {
    const next = names[index + 1];
    return {
      name,
      path: `${directory}/${name}`,
      first: firstNumberOf(name),
      end: next === undefined ? Infinity : firstNumberOf(next),
    };
  });
}

/**
 * All of a segment, in order; changes nothing. Ends at the bytes that were there when it began. What the disk does not
 * read comes as `unread`, also a file that cannot be opened, of which no length is known.
 */
export async function* surveySegment(
  files: SpoolFileSystem,
  segment: SegmentFile,
  { payloads, live }: SurveyOptions,
): AsyncGenerator<Found> {
  const file = await openFile(files, segment.path);
  if ('error' in file) {
    yield { kind: 'unread', offset: 0, length: 0, header: undefined, error: file.error };
    return;
  }
  try {
    const { first, end } = segment;
    let reader = new SegmentReader(file, { first, payloads });
    let size = await file.size();
    let last = first - 1;
    for (;;) {
      const piece = await reader.next(size);
      if (!piece) return;
      if (piece.kind === 'damage' && live && end === Infinity) {
        const sound = await lookAgain(file, piece.offset, first, payloads);
        if (sound) {
          reader = sound;
          size = await file.size();
          continue;
        }
      }
      const found = judge(piece, last, end);
      if (found.kind === 'record') last = found.header.sequence;
      yield found;
    }
  } finally {
    await file.close();
  }
}

async function openFile(files: SpoolFileSystem, path: string): Promise<SpoolFile | { error: unknown }> {
  try {
    return await files.open(path, 'read');
  } catch (error) {
    // The service removed it meanwhile, as it does with what is settled.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
    return { error };
  }
}

/** A reader at the offset when it is no damage there after all, only a write that was under way. */
async function lookAgain(
  file: SpoolFile,
  offset: number,
  first: number,
  payloads: boolean,
): Promise<SegmentReader | undefined> {
  for (let look = 0; look < LOOKS; look++) {
    await sleep(LOOK_MS);
    const reader = new SegmentReader(file, { from: offset, first, payloads });
    const piece = await reader.next(await file.size());
    if (piece?.kind !== 'damage') return new SegmentReader(file, { from: offset, first, payloads });
  }
  return undefined;
}

function judge(piece: SegmentPiece, last: number, end: number): Found {
  if (piece.kind === 'torn' || piece.kind === 'unread') return piece;
  if (piece.kind === 'damage') return { ...piece, why: piece.header ? 'payload' : 'header' };
  const { header, offset } = piece;
  const length = HEADER_BYTES + header.length;
  if (header.sequence <= last) return { kind: 'damage', offset, length, header, why: 'order' };
  return { ...piece, length, superseded: header.sequence >= end };
}
