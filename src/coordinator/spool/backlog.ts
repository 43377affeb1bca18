import type { LedgerRecord } from './checkpoint.slot.js';
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
  /** Rows of records that the ledger on disk does not count as accepted yet. */
  readonly newRows: number;
  /** Rows of records that are replayed. */
  readonly replayedRows: number;
  /** Rows of the heaviest record. */
  readonly heaviest: number;
  /** Time of receipt of the first record. */
  readonly oldestTime: number | undefined;
  /** The newest time of receipt; 0 when there is no record. */
  readonly newestTime: number;
}

/**
 * Looks at the headers in the segments, oldest first, that the checkpoint does not cover, and finds out where each
 * segment ends. What cannot be read is left to the reader, which tries again.
 */
export async function lookAtBacklog(
  files: SpoolFileSystem,
  segments: readonly Segment[],
  checkpoint: number,
  ledger: LedgerRecord | undefined,
): Promise<Backlog> {
  const { next = 0, replayUntil = 0, settledSegments = [] } = ledger ?? {};
  const settled = new Set(settledSegments);
  const replaying = replayUntil > 0;
  const found = { records: 0, rows: 0, newRows: 0, replayedRows: 0, heaviest: 0, newestTime: 0 };
  let oldestTime: number | undefined;
  for (const [index, segment] of segments.entries()) {
    const end = segments[index + 1]?.first ?? Infinity;
    const note = ({ sequence, rows, time }: RecordHeader): void => {
      if (sequence >= end) return;
      segment.reaches(sequence);
      if (sequence < checkpoint) return;
      found.records++;
      found.rows += rows;
      if (sequence >= next) found.newRows += rows;
      if (sequence < replayUntil || settled.has(segment.first)) found.replayedRows += rows;
      found.heaviest = Math.max(found.heaviest, rows);
      found.newestTime = Math.max(found.newestTime, time);
      oldestTime ??= time;
    };
    const { records, rows, newRows, replayedRows } = found;
    if (settled.has(segment.first) && !replaying) {
      segment.reaches(Math.min(end, next) - 1);
      segment.markSettled(Date.now());
      segment.fold();
    } else if (end > checkpoint) await scan(files, segment, checkpoint, note);
    // What was found in it now is found again with the rest.
    if (!segment.counted) Object.assign(found, { records, rows, newRows, replayedRows });
    if (end < Infinity) segment.endsBefore(end);
  }
  return { ...found, oldestTime };
}

async function scan(
  files: SpoolFileSystem,
  segment: Segment,
  checkpoint: number,
  note: (header: RecordHeader) => void,
): Promise<void> {
  const file = segment.opened ? await files.open(segment.path, 'read').catch(() => undefined) : undefined;
  if (!file) {
    segment.notOpened();
    leaveToReader(segment);
    return;
  }
  try {
    const reader = new SegmentReader(file, { first: segment.first, payloads: false });
    let damaged = false;
    let unread = false;
    for (let piece = await reader.next(segment.bytes); piece; piece = await reader.next(segment.bytes)) {
      damaged ||= piece.kind === 'damage';
      unread ||= piece.kind === 'unread';
      if (piece.kind !== 'record') continue;
      note(piece.header);
      let header;
      while ((header = reader.nextHeaderInMemory(segment.bytes))) note(header);
    }
    // A record that cannot be read may be the last, and any number of gaps may lie before it: the segment is not
    // settled before a reader has been there.
    if (damaged) segment.reaches(Math.max(segment.last + 1, checkpoint));
    if (unread) leaveToReader(segment);
  } finally {
    await file.close();
  }
}

/** What is in it, and how much, is not known yet. */
function leaveToReader(segment: Segment): void {
  segment.reaches(segment.last + FREE_NUMBERS);
  segment.notCounted();
}
