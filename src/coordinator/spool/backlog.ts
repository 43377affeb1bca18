import { SalvagedFile } from './salvaged.file.js';
import { SegmentReader } from './segment.reader.js';
import type { Segment } from './segment.js';
import type { SpoolFileSystem } from './spool.file-system.js';
import type { RecordHeader } from './spool.record.js';

/** Sequence numbers left free after a last segment that could not be read to its end: it may hold as many. */
const FREE_NUMBERS = 2 ** 32;

/** What a look at the segments from a checkpoint on found. */
export interface Backlog {
  readonly records: number;
  readonly rows: number;
  /** Rows of the heaviest record. */
  readonly heaviest: number;
  /** Time of receipt of the first record. */
  readonly oldestTime: number | undefined;
}

/**
 * Looks at the headers in the segments, oldest first, that the checkpoint does not cover, and finds out where each
 * segment ends. What cannot be read is left to the reader, who has more patience.
 */
export async function lookAtBacklog(
  files: SpoolFileSystem,
  segments: readonly Segment[],
  checkpoint: number,
): Promise<Backlog> {
  const found = { records: 0, rows: 0, heaviest: 0, oldestTime: undefined as number | undefined };
  for (const [index, segment] of segments.entries()) {
    const end = segments[index + 1]?.first ?? Infinity;
    const note = ({ sequence, rows, time }: RecordHeader): void => {
      if (sequence >= end) return;
      segment.last = Math.max(segment.last, sequence);
      if (sequence < checkpoint) return;
      found.records++;
      found.rows += rows;
      found.heaviest = Math.max(found.heaviest, rows);
      found.oldestTime ??= time;
    };
    const { records, rows } = found;
    if (end > checkpoint) await scan(files, segment, checkpoint, note);
    // What was found in it now is found again with the rest.
    if (!segment.counted) Object.assign(found, { records, rows });
    if (end < Infinity) segment.last = end - 1;
  }
  return found;
}

async function scan(
  files: SpoolFileSystem,
  segment: Segment,
  checkpoint: number,
  note: (header: RecordHeader) => void,
): Promise<void> {
  const file = segment.unreadable ? undefined : await files.open(segment.path, 'read').catch(() => undefined);
  if (!file) {
    leaveToReader(segment);
    segment.unreadable = true;
    return;
  }
  try {
    const salvaged = new SalvagedFile(file, () => segment.bytes);
    const reader = new SegmentReader(salvaged, { first: segment.first, payloads: false });
    let damaged = false;
    for (let piece = await reader.next(segment.bytes); piece; piece = await reader.next(segment.bytes)) {
      damaged ||= piece.kind === 'damage';
      if (piece.kind !== 'record') continue;
      note(piece.header);
      let header;
      while ((header = reader.nextHeaderInMemory(segment.bytes))) note(header);
    }
    // A record that cannot be read may be the last, and any number of gaps may lie before it: the segment is not
    // settled before a reader has been there.
    if (damaged) segment.last = Math.max(segment.last + 1, checkpoint);
    if (salvaged.badBlocks > 0) leaveToReader(segment);
  } finally {
    await file.close();
  }
}

/** What is in it, and how much, is not known yet. */
function leaveToReader(segment: Segment): void {
  segment.last += FREE_NUMBERS;
  segment.counted = false;
}
