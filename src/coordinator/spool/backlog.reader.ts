import type { Quarantine } from './quarantine.js';
import { SalvagedFile } from './salvaged.file.js';
import { SegmentReader, type SegmentPiece } from './segment.reader.js';
import type { SegmentStore } from './segment.store.js';
import type { Segment } from './segment.js';
import type { SpoolFile } from './spool.file-system.js';
import type { RecordHeader } from './spool.record.js';
import type { UnsettledRecords } from './unsettled.records.js';

/** Tries of a read in a row before what the disk does not give counts as damaged. */
const READ_TRIES = 5;
/** The process, not the disk, is short of something: trying again will do. */
const SHORTAGES: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/** A record that was read back. */
export interface BacklogRecord {
  readonly segment: Segment;
  readonly header: RecordHeader;
  readonly payload: Buffer;
}

/** Where on disk the reader is. */
interface Cursor {
  readonly segment: Segment;
  readonly file: SpoolFile;
  reader: SegmentReader;
}

/** Reads back, in order, the records that are on disk only. */
export class BacklogReader {
  private cursor: Cursor | undefined;
  /** Where the cursor begins: the first record that is on disk only. */
  private resumeAt: { readonly segment: Segment; readonly offset: number } | undefined;
  private failures = 0;

  constructor(
    private readonly store: SegmentStore,
    private readonly records: UnsettledRecords,
    private readonly quarantine: Quarantine,
  ) {
    const first = store.segments.find(({ last }) => last > records.lastHandedOut);
    this.resumeAt = first && { segment: first, offset: 0 };
  }

  /** True while records that were not handed out lie on disk only. */
  get behind(): boolean {
    return this.resumeAt !== undefined;
  }

  /** From this record on memory has no room: it is the first to be read back. */
  beginAt(segment: Segment, offset: number): void {
    this.resumeAt = { segment, offset };
  }

  /**
   * The next record; undefined when there was none in this step, which is for good once `behind` is false. Rejects
   * when the disk does not read; asking again tries again, and at last goes on behind what cannot be read.
   */
  async step(): Promise<BacklogRecord | undefined> {
    try {
      const cursor = (this.cursor ??= await this.open());
      const record = cursor && (await this.read(cursor));
      this.failures = 0;
      return record;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (SHORTAGES.has(code) || ++this.failures < READ_TRIES) throw error;
      this.failures = 0;
      this.giveUp();
      return undefined;
    }
  }

  async close(): Promise<void> {
    await this.cursor?.file.close().catch(() => undefined);
  }

  private async open(): Promise<Cursor | undefined> {
    if (!this.resumeAt) throw new Error('the spool has nothing to read back');
    const { segment, offset } = this.resumeAt;
    try {
      const file = await this.store.open(segment);
      // It could not be opened at the start; now it can.
      if (segment.unreadable) segment.bytes = await file.size();
      segment.unreadable = false;
      return { segment, file, reader: readerOf(segment, file, offset) };
    } catch (error) {
      if (this.store.segments.includes(segment)) throw error;
      // It was empty, and was removed meanwhile.
      this.leave(segment);
      return undefined;
    }
  }

  private async read(cursor: Cursor): Promise<BacklogRecord | undefined> {
    const { segment, reader } = cursor;
    const piece = await reader.next(segment.bytes);
    if (!piece) await this.endOfSegment(cursor);
    else if (piece.kind === 'damage') await this.passOver(segment, piece);
    else if (piece.kind === 'record' && piece.payload && !this.isOver(segment, piece.header.sequence)) {
      this.count(segment, piece.header);
      return { segment, header: piece.header, payload: piece.payload };
    }
    return undefined;
  }

  /**
   * True for what was settled before the last start, and for a write that failed and was cut off, when a power cut
   * undid the cut: the process after it gave the number anew, to an entry in the next segment.
   */
  private isOver(segment: Segment, sequence: number): boolean {
    return sequence <= this.records.lastHandedOut || sequence > segment.last;
  }

  private count({ counted }: Segment, { rows }: RecordHeader): void {
    if (!counted) this.records.find(rows);
  }

  private async endOfSegment({ segment, reader, file }: Cursor): Promise<void> {
    if (reader.offset < segment.bytes) return;
    this.leave(segment);
    await file.close();
  }

  /** Nothing in it is left to read. No await in here: an entry written meanwhile would be in neither place. */
  private leave(segment: Segment): void {
    this.records.passOver(segment.last);
    const next = this.store.after(segment);
    this.cursor = undefined;
    this.resumeAt = next && { segment: next, offset: 0 };
    if (!next) this.records.recount();
  }

  /** A damaged record counts as handed out; it is as good as settled when its bytes are in the quarantine. */
  private async passOver(
    segment: Segment,
    { offset, length, header }: Extract<SegmentPiece, { kind: 'damage' }>,
  ): Promise<void> {
    if (header && this.isOver(segment, header.sequence)) return;
    const after = this.records.lastHandedOut;
    if (header) {
      this.count(segment, header);
      this.records.passOver(header.sequence);
      this.records.rows -= header.rows;
    }
    await this.quarantine.add({ segment, offset, length, rows: header?.rows, after });
  }

  /** A disk that does not read some bytes must not keep those behind them: bar after bar would wait for ever. */
  private giveUp(): void {
    const { cursor, resumeAt } = this;
    if (cursor) {
      const { segment, file, reader } = cursor;
      cursor.reader = readerOf(segment, new SalvagedFile(file, () => segment.bytes), reader.offset);
      this.quarantine.giveUp(segment, segment.bytes);
    } else if (resumeAt) {
      this.quarantine.giveUp(resumeAt.segment, resumeAt.segment.bytes);
      this.leave(resumeAt.segment);
    }
  }
}

function readerOf(segment: Segment, file: Pick<SpoolFile, 'read'>, from: number): SegmentReader {
  return new SegmentReader(file, { from, first: segment.first, payloads: true });
}
