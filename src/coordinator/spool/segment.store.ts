import { SegmentReader } from './segment.reader.js';
import type { RecordHeader } from './spool.record.js';
import { writeFully, writeWholeFile, type SpoolFile, type SpoolFileSystem } from './spool.file-system.js';

const SUFFIX = '.seg';
const NAME = /^(\d{16})\.seg$/;
/** Folder in the spool's directory for bytes that were damaged. */
export const QUARANTINE = 'quarantine';
const PROBE_BYTES = 64 * 1024;

/** One file of records. */
export interface Segment {
  readonly name: string;
  readonly path: string;
  /** No record in it has a smaller sequence number. */
  readonly first: number;
  /** No record in it has a larger one. */
  last: number;
  /** Bytes that are safe; what lies beyond was never acknowledged. */
  bytes: number;
  /** When all of it was seen to be settled, milliseconds of Date.now. */
  settledAt: number | undefined;
}

/** What a look at the segments from a checkpoint on found. */
export interface Backlog {
  readonly records: number;
  readonly rows: number;
  /** Rows of the heaviest record. */
  readonly heaviest: number;
  /** Time of receipt of the first record. */
  readonly oldestTime: number | undefined;
}

/** Those of the names in a directory that are segments', oldest first. */
export function segmentNames(names: readonly string[]): string[] {
  return names.filter((name) => NAME.test(name)).sort();
}

/** The number that a segment is named by: no record in it has a smaller one. */
export function firstNumberOf(name: string): number {
  return Number(name.slice(0, -SUFFIX.length));
}

/** The segments on disk, oldest first, and the one that is written. */
export class SegmentStore {
  readonly segments: Segment[] = [];
  private active: { readonly segment: Segment; readonly file: SpoolFile } | undefined;

  constructor(
    private readonly files: SpoolFileSystem,
    private readonly directory: string,
  ) {}

  /** Bytes of all segments. */
  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Finds the segments and looks at the headers of those that the checkpoint does not cover. */
  async load(checkpoint: number): Promise<Backlog> {
    const names = segmentNames(await this.files.list(this.directory));
    for (const name of names) {
      const path = `${this.directory}/${name}`;
      const file = await this.files.open(path, 'read');
      const bytes = await file.size().finally(() => file.close());
      const first = firstNumberOf(name);
      this.segments.push({ name, path, first, last: first - 1, bytes, settledAt: undefined });
    }
    const found = { records: 0, rows: 0, heaviest: 0, oldestTime: undefined as number | undefined };
    for (const [index, segment] of this.segments.entries()) {
      const next = this.segments[index + 1];
      const end = next?.first ?? Infinity;
      if (end > checkpoint) await this.scan(segment, checkpoint, end, found);
      if (next) segment.last = end - 1;
    }
    return found;
  }

  /** The segment's reader, from an offset on. The caller closes the file. */
  async read(
    segment: Segment,
    from = 0,
  ): Promise<{ readonly reader: SegmentReader; readonly file: SpoolFile }> {
    const file = await this.files.open(segment.path, 'read');
    return { file, reader: new SegmentReader(file, { from, first: segment.first, payloads: true }) };
  }

  /** The segment after this one, which may be gone. */
  after(segment: Segment): Segment | undefined {
    return this.segments.find(({ first }) => first > segment.first);
  }

  /** The segment that is written; a new one, named after the next sequence number, when there is none. */
  async writable(nextSequence: number): Promise<Segment> {
    if (this.active) return this.active.segment;
    const name = `${String(nextSequence).padStart(16, '0')}${SUFFIX}`;
    const path = `${this.directory}/${name}`;
    const file = await this.files.create(path);
    const segment = {
      name,
      path,
      first: nextSequence,
      last: nextSequence - 1,
      bytes: 0,
      settledAt: undefined,
    };
    try {
      await this.files.syncDirectory(this.directory);
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.files.remove(path).catch(() => undefined);
      throw error;
    }
    this.segments.push(segment);
    this.active = { segment, file };
    return segment;
  }

  /** The segment that is written now, if there is one. */
  get current(): Segment | undefined {
    return this.active?.segment;
  }

  /** Writes at the end of the active segment. What is written is safe, and counted, only after `sync`. */
  async write(parts: readonly Buffer[]): Promise<void> {
    const { file, segment } = this.requireActive();
    await writeFully(file, parts, segment.bytes);
  }

  /** Makes what was written safe. After it has rejected the segment must be given up. */
  async sync(): Promise<void> {
    await this.requireActive().file.sync();
  }

  /**
   * Ends the active segment where it was last safe. What a failed write or sync left beyond is cut off if the disk
   * still allows it; if not, readers stop before it.
   */
  async seal({ cut }: { readonly cut: boolean }): Promise<void> {
    const active = this.active;
    if (!active) return;
    this.active = undefined;
    if (cut) await active.file.truncate(active.segment.bytes).catch(() => undefined);
    await active.file.close().catch(() => undefined);
    if (active.segment.bytes === 0) await this.remove(active.segment).catch(() => undefined);
  }

  /** Proves that the disk takes bytes: a new segment is begun, filled, synced and emptied again. */
  async probe(nextSequence: number): Promise<void> {
    await this.seal({ cut: true });
    await this.writable(nextSequence);
    const { file } = this.requireActive();
    await writeFully(file, [Buffer.alloc(PROBE_BYTES)], 0);
    await file.sync();
    await file.truncate(0);
  }

  async remove(segment: Segment): Promise<void> {
    if (segment === this.current) await this.seal({ cut: false });
    const index = this.segments.indexOf(segment);
    // An empty one went when it was sealed.
    if (index < 0) return;
    // First off the list, so that nobody goes there any more.
    this.segments.splice(index, 1);
    try {
      await this.files.remove(segment.path);
    } catch (error) {
      this.segments.push(segment);
      this.segments.sort((a, b) => a.first - b.first);
      throw error;
    }
  }

  /** Puts bytes of a segment aside, for people to look at. Doing it again changes nothing. */
  async quarantine(segment: Segment, offset: number, length: number): Promise<string> {
    const directory = `${this.directory}/${QUARANTINE}`;
    const name = `${segment.name}.${offset}`;
    const file = await this.files.open(segment.path, 'read');
    const bytes = await file.read(length, offset).finally(() => file.close());
    await this.files.makeDirectory(directory);
    await writeWholeFile(this.files, directory, name, [bytes]);
    return `${directory}/${name}`;
  }

  private requireActive(): { readonly segment: Segment; readonly file: SpoolFile } {
    if (!this.active) throw new Error('no segment is open for writing');
    return this.active;
  }

  private async scan(
    segment: Segment,
    checkpoint: number,
    end: number,
    found: { records: number; rows: number; heaviest: number; oldestTime: number | undefined },
  ): Promise<void> {
    const file = await this.files.open(segment.path, 'read');
    try {
      const reader = new SegmentReader(file, { first: segment.first, payloads: false });
      let damaged = false;
      const note = ({ sequence, rows, time }: RecordHeader): void => {
        if (sequence >= end) return;
        segment.last = Math.max(segment.last, sequence);
        if (sequence < checkpoint) return;
        found.records++;
        found.rows += rows;
        found.heaviest = Math.max(found.heaviest, rows);
        found.oldestTime ??= time;
      };
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
    } finally {
      await file.close();
    }
  }
}
