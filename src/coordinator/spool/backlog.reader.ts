import type { Quarantine } from './quarantine.js';
import type { Segment } from './segment.js';
import { SegmentReader, type SegmentPiece } from './segment.reader.js';
import type { SegmentStore } from './segment.store.js';
import type { SpoolFile } from './spool.file-system.js';
import type { SpoolObserver } from './spool.options.js';
import type { RecordHeader } from './spool.record.js';
import type { UnreadRange, UnreadRanges } from './unread.ranges.js';
import type { UnsettledRecords } from './unsettled.records.js';

/** A record that was read back. */
export interface BacklogRecord {
  readonly segment: Segment;
  readonly offset: number;
  readonly header: RecordHeader;
  readonly payload: Buffer;
  /** True when the disk did not read it in its turn: later ones were handed out before. */
  readonly late: boolean;
}

/** Where on disk the reader is. */
interface Cursor {
  readonly segment: Segment;
  readonly file: SpoolFile;
  reader: SegmentReader;
  /** The place that is tried again; undefined while records are read in order. */
  readonly again: UnreadRange | undefined;
}

type Bytes = Extract<SegmentPiece, { kind: 'damage' | 'unread' }>;

/** What a BacklogReader works with. */
export interface BacklogReaderParts {
  readonly store: SegmentStore;
  readonly records: UnsettledRecords;
  readonly quarantine: Quarantine;
  readonly unread: UnreadRanges;
  readonly observer: SpoolObserver;
  /** A record turned up in a segment that could not be counted at the start. */
  readonly onFound: (header: RecordHeader) => void;
}

/**
 * Reads back, in order, the records that are on disk only. What the disk does not read is left for later and holds up
 * nothing behind it.
 */
export class BacklogReader {
  private cursor: Cursor | undefined;
  /** Reads a place again that was not read in its turn. */
  private secondTry: Cursor | undefined;
  private triedAgainAt = 0;
  /** Where the cursor begins: the first record that is on disk only. */
  private resumeAt: { readonly segment: Segment; readonly offset: number } | undefined;

  constructor(private readonly parts: BacklogReaderParts) {
    const { store, records } = parts;
    const first = store.segments.find((segment) => !records.covers(segment));
    this.resumeAt = first && { segment: first, offset: 0 };
  }

  /** True while records that were not handed out lie on disk only, apart from those that it does not read. */
  get behind(): boolean {
    return this.resumeAt !== undefined;
  }

  /** True when a step may find a record. */
  get hasWork(): boolean {
    return this.behind || this.secondTry !== undefined || this.parts.unread.due !== undefined;
  }

  /** From this record on memory has no room: it is the first to be read back. */
  beginAt(segment: Segment, offset: number): void {
    this.resumeAt = { segment, offset };
  }

  /** The next record; undefined when there was none in this step, which is for good once `hasWork` is false. */
  async step(): Promise<BacklogRecord | undefined> {
    const due = this.secondTry ? undefined : this.parts.unread.due;
    if (due) this.secondTry = await this.openAgain(due);
    const cursor = this.secondTry ?? (this.cursor ??= await this.openNext());
    return cursor && (await this.read(cursor));
  }

  /**
   * The bytes of a record that was handed out and is not settled.
   * @throws Error when the disk does not read them, or they are not as they were written
   */
  async readAgain(sequence: number): Promise<Buffer> {
    const { records, store } = this.parts;
    const place = records.placeOf(sequence);
    if (!place) throw new Error(`record ${sequence} of the spool is settled: it may be gone`);
    const { segment, offset } = place;
    const file = await store.open(segment);
    try {
      const piece = await readerOf(segment, file, offset).next(segment.bytes);
      if (piece?.kind === 'unread') throw piece.error;
      if (piece?.kind !== 'record' || !piece.payload || piece.header.sequence !== sequence)
        throw new Error(`record ${sequence} in ${segment.path} at byte ${offset} is damaged`);
      return piece.payload;
    } finally {
      await file.close();
    }
  }

  async close(): Promise<void> {
    await this.cursor?.file.close().catch(() => undefined);
    await this.secondTry?.file.close().catch(() => undefined);
  }

  private async openNext(): Promise<Cursor | undefined> {
    if (!this.resumeAt) return undefined;
    const { segment, offset } = this.resumeAt;
    try {
      const file = await this.openFile(segment);
      return { segment, file, reader: readerOf(segment, file, offset), again: undefined };
    } catch (error) {
      // An empty one may have been removed meanwhile.
      if (this.parts.store.segments.includes(segment))
        this.leaveUnread({ segment, offset, end: segment.opened ? segment.bytes : Infinity, error });
      this.leave(segment);
      return undefined;
    }
  }

  private async openAgain(range: UnreadRange): Promise<Cursor | undefined> {
    const { segment, offset } = range;
    this.triedAgainAt = performance.now();
    try {
      const file = await this.openFile(segment);
      return { segment, file, reader: readerOf(segment, file, offset), again: range };
    } catch (error) {
      this.leaveUnread({ ...range, error }, range);
      this.parts.unread.remove(range);
      return undefined;
    }
  }

  private async openFile(segment: Segment): Promise<SpoolFile> {
    const file = await this.parts.store.open(segment);
    // It could not be opened at the start; now it can.
    if (!segment.opened) segment.measured(await file.size());
    return file;
  }

  private async read(cursor: Cursor): Promise<BacklogRecord | undefined> {
    const { segment, reader, again } = cursor;
    const piece = reader.offset < endOf(cursor) ? await this.nextPiece(cursor) : undefined;
    if (!piece) await this.finish(cursor);
    else if (piece.kind === 'unread') this.passUnread(cursor, piece);
    else if (piece.kind === 'damage') await this.passDamage(cursor, piece);
    else if (piece.kind === 'record' && piece.payload && !this.isOver(cursor, piece.header.sequence)) {
      this.count(segment, piece.header);
      const { offset, header, payload } = piece;
      return { segment, offset, header, payload, late: again !== undefined };
    }
    return undefined;
  }

  /**
   * Damage is looked at twice: the bytes are read again from the disk before they count as damaged. A place that is tried
   * again ends where the records behind it begin: those were handed out.
   */
  private async nextPiece(cursor: Cursor): Promise<SegmentPiece | undefined> {
    const { segment, file, reader } = cursor;
    const { offset } = reader;
    const piece = await readPiece(cursor);
    if (piece?.kind !== 'damage') return piece;
    cursor.reader = readerOf(segment, file, offset);
    return await readPiece(cursor);
  }

  /**
   * True for what was settled before the last start, and for a write that failed and was cut off, when a power cut
   * undid the cut: the process after it gave the number again, to an entry in the next segment.
   */
  private isOver({ segment, again }: Cursor, sequence: number): boolean {
    const after = again?.after ?? this.parts.records.lastHandedOut;
    return sequence <= after || sequence > segment.last;
  }

  private count({ counted }: Segment, header: RecordHeader): void {
    if (!counted) this.parts.onFound(header);
  }

  /** Nothing is left before its end. No await before the cursor is gone: an entry written meanwhile would be lost. */
  private async finish(cursor: Cursor): Promise<void> {
    const { segment, file, again } = cursor;
    if (again) {
      this.secondTry = undefined;
      this.parts.unread.remove(again);
      this.parts.observer.onRead?.(segment.path, again.offset);
    } else this.leave(segment);
    await file.close();
  }

  /** Nothing in it is left to read in order. */
  private leave(segment: Segment): void {
    const { records, store } = this.parts;
    records.passOver(segment.last);
    const next = store.segments.find((later) => later.first > segment.first && !records.covers(later));
    this.cursor = undefined;
    this.resumeAt = next && { segment: next, offset: 0 };
  }

  private passUnread(
    { segment, again }: Cursor,
    { offset, length, header, error }: Bytes & { kind: 'unread' },
  ): void {
    const after = again?.after ?? this.parts.records.lastHandedOut;
    this.leaveUnread({ segment, offset, end: offset + length, after, header, error }, again);
  }

  private leaveUnread(
    range: Omit<UnreadRange, 'after' | 'header'> & Partial<Pick<UnreadRange, 'after' | 'header'>>,
    instead?: UnreadRange,
  ): void {
    const { unread, records, observer } = this.parts;
    const { segment, offset, error } = range;
    const tookMs = performance.now() - this.triedAgainAt;
    unread.add({ after: records.lastHandedOut, header: undefined, ...range }, instead, instead && tookMs);
    observer.onUnread?.(segment.path, offset, error);
  }

  /** A damaged record counts as handed out; it is as good as settled when its bytes are in the quarantine. */
  private async passDamage(cursor: Cursor, { offset, length, header }: Bytes): Promise<void> {
    const { segment, again } = cursor;
    const { records, quarantine } = this.parts;
    if (header && this.isOver(cursor, header.sequence)) return;
    const after = again?.after ?? records.lastHandedOut;
    if (header) {
      this.count(segment, header);
      if (!again) records.passOver(header.sequence);
      records.drop(header.rows);
    }
    await quarantine.add({ segment, offset, length, rows: header?.rows, after });
  }
}

/** Where the cursor's bytes end now: the segment that is written grows. */
function endOf({ segment, again }: Cursor): number {
  return Math.min(again?.end ?? Infinity, segment.bytes);
}

/** Only at the end of a segment may a record be torn; before it, something else was there. */
async function readPiece(cursor: Cursor): Promise<SegmentPiece | undefined> {
  const end = endOf(cursor);
  const piece = await cursor.reader.next(end);
  return piece?.kind === 'torn' && end < cursor.segment.bytes
    ? { ...piece, kind: 'damage', header: undefined }
    : piece;
}

function readerOf(segment: Segment, file: SpoolFile, from: number): SegmentReader {
  return new SegmentReader(file, { from, first: segment.first, payloads: true });
}
