import { lookAtBacklog, type Backlog } from './backlog.js';
import { firstNumberOf, QUARANTINE, segmentNames, SUFFIX, type Segment } from './segment.js';
import { SalvagedFile } from './salvaged.file.js';
import { writeFully, type SpoolFile, type SpoolFileSystem } from './spool.file-system.js';
import { writeWholeFile } from './whole.file.js';

const PROBE_BYTES = 64 * 1024;

/** The segments on disk, oldest first, and the one that is written. */
export class SegmentStore {
  readonly segments: Segment[] = [];
  private nextSequence = 1;
  private active: { readonly segment: Segment; readonly file: SpoolFile } | undefined;

  constructor(
    private readonly files: SpoolFileSystem,
    private readonly directory: string,
  ) {}

  /** Bytes of all segments. */
  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Finds the segments and looks at those that the checkpoint does not cover. */
  async load(checkpoint: number): Promise<Backlog> {
    const names = segmentNames(await this.files.list(this.directory));
    for (const name of names) {
      const segment = this.newSegment(name, firstNumberOf(name));
      this.segments.push(segment);
      await this.measure(segment);
    }
    const found = await lookAtBacklog(this.files, this.segments, checkpoint);
    const last = this.segments.map((segment) => Math.max(segment.first, segment.last) + 1);
    this.nextSequence = Math.max(1, checkpoint, ...last);
    return found;
  }

  /** The first of so many sequence numbers, which are never given again. */
  takeSequences(count: number): number {
    const first = this.nextSequence;
    this.nextSequence += count;
    return first;
  }

  /** The segment's file, for reading. The caller closes it. */
  open({ path }: Segment): Promise<SpoolFile> {
    return this.files.open(path, 'read');
  }

  /** The segment after this one, which may be gone. */
  after(segment: Segment): Segment | undefined {
    return this.segments.find(({ first }) => first > segment.first);
  }

  /** The segment that is written; a new one, named after the next sequence number, when there is none. */
  async writable(nextSequence: number): Promise<Segment> {
    if (this.active) return this.active.segment;
    const segment = this.newSegment(`${String(nextSequence).padStart(16, '0')}${SUFFIX}`, nextSequence);
    const file = await this.files.create(segment.path, { writeThrough: true });
    try {
      await this.files.syncDirectory(this.directory);
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.files.remove(segment.path).catch(() => undefined);
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

  /**
   * Writes at the end of the active segment; resolves when it is safe. It is counted by whoever raises the segment's
   * bytes. After it has rejected the segment must be given up.
   */
  async write(parts: readonly Buffer[]): Promise<void> {
    const { file, segment } = this.requireActive();
    await writeFully(file, parts, segment.bytes);
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
  async probe(): Promise<void> {
    await this.seal({ cut: true });
    await this.writable(this.takeSequences(1));
    const { file } = this.requireActive();
    await writeFully(file, [Buffer.alloc(PROBE_BYTES)], 0);
    await file.truncate(0);
  }

  /** Removes the segment, or puts it aside when some of it could not be read. */
  async remove(segment: Segment): Promise<void> {
    if (segment === this.current) await this.seal({ cut: false });
    const index = this.segments.indexOf(segment);
    // An empty one went when it was sealed.
    if (index < 0) return;
    // First off the list, so that nobody goes there any more.
    this.segments.splice(index, 1);
    try {
      if (segment.unreadable) await this.putAside(segment);
      else await this.files.remove(segment.path);
    } catch (error) {
      this.segments.push(segment);
      this.segments.sort((a, b) => a.first - b.first);
      throw error;
    }
  }

  /** Copies bytes of a segment to where people can look at them. Doing it again changes nothing. */
  async quarantine(segment: Segment, offset: number, length: number): Promise<string> {
    const name = `${segment.name}.${offset}`;
    const file = await this.open(segment);
    const bytes = await new SalvagedFile(file, () => segment.bytes)
      .read(length, offset)
      .finally(() => file.close());
    const directory = await this.makeQuarantine();
    await writeWholeFile(this.files, directory, name, [bytes]);
    return `${directory}/${name}`;
  }

  private async putAside({ name, path }: Segment): Promise<void> {
    const directory = await this.makeQuarantine();
    await this.files.rename(path, `${directory}/${name}`).catch(ignoreMissing);
  }

  private async makeQuarantine(): Promise<string> {
    const directory = `${this.directory}/${QUARANTINE}`;
    await this.files.makeDirectory(directory);
    return directory;
  }

  /** A segment that the disk does not open has no bytes until it does. */
  private async measure(segment: Segment): Promise<void> {
    try {
      const file = await this.open(segment);
      segment.bytes = await file.size().finally(() => file.close());
    } catch {
      segment.unreadable = true;
    }
  }

  private newSegment(name: string, first: number): Segment {
    const path = `${this.directory}/${name}`;
    const segment = { name, path, first, last: first - 1, bytes: 0, settledAt: undefined, open: 0 };
    return { ...segment, unreadable: false, counted: true };
  }

  private requireActive(): { readonly segment: Segment; readonly file: SpoolFile } {
    if (!this.active) throw new Error('no segment is open for writing');
    return this.active;
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
