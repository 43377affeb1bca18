import { lookAtBacklog, type Backlog } from './backlog.js';
import type { LedgerRecord } from './checkpoint.slot.js';
import { firstNumberOf, QUARANTINE, Segment, segmentNames, SUFFIX } from './segment.js';
import { SpoolUnavailableError } from './spool.errors.js';
import { writeFully, type SpoolFile, type SpoolFileSystem } from './spool.file-system.js';
import { writeWholeFile } from './whole.file.js';

const PROBE_BYTES = 64 * 1024;

/** The segments on disk, oldest first, and the one that is written. */
export class SegmentStore {
  readonly segments: Segment[] = [];
  private nextSequence = 1;
  private active: { readonly segment: Segment; readonly file: SpoolFile } | undefined;
  /** Identity of the directory, once it is known. */
  private place: string | undefined;

  constructor(
    private readonly files: SpoolFileSystem,
    private readonly directory: string,
  ) {}

  /** Bytes of all segments. */
  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The sequence number that is given next. */
  get next(): number {
    return this.nextSequence;
  }

  /** Finds the segments and looks at those that the checkpoint does not cover. */
  async load(checkpoint: number, ledger: LedgerRecord | undefined): Promise<Backlog> {
    const names = segmentNames(await this.files.list(this.directory));
    for (const name of names) {
      const segment = this.newSegment(name, firstNumberOf(name));
      this.segments.push(segment);
      await this.measure(segment);
    }
    const found = await lookAtBacklog(this.files, this.segments, checkpoint, ledger);
    const last = this.segments.map((segment) => Math.max(segment.first, segment.last) + 1);
    this.nextSequence = Math.max(1, checkpoint, ledger?.next ?? 0, ...last);
    return found;
  }

  /**
   * Looks once more at the segments that begin below a sequence number, with a checkpoint that was read since. Rejects
   * when the disk does not read all of them.
   */
  async lookAgain(below: number, checkpoint: number, ledger: LedgerRecord): Promise<Backlog> {
    const segments = this.segments
      .filter(({ first }) => first < below)
      .map(({ name, first, bytes }) => {
        const segment = this.newSegment(name, first);
        segment.measured(bytes);
        return segment;
      });
    const found = await lookAtBacklog(this.files, segments, checkpoint, ledger);
    const unread = segments.find(({ counted }) => !counted);
    if (unread) throw new Error(`segment ${unread.path} is not read now`);
    return found;
  }

  /**
   * Compares the directory and the segment that is written with what lies under their names. What is written to files
   * that were removed or moved, no process finds again.
   * @throws SpoolUnavailableError
   */
  async assertInPlace(): Promise<void> {
    await this.assertDirectory();
    const { active } = this;
    if (!active) return;
    const { path } = active.segment;
    if ((await this.files.identity(path)) !== (await active.file.identity()))
      throw new SpoolUnavailableError(`segment ${path} was removed, moved or replaced`);
  }

  /**
   * The directory must be the one that was opened: a new one in its place lacks what is not settled. It is made only
   * where there was none from the start.
   * @throws SpoolUnavailableError
   */
  async assertDirectory(): Promise<void> {
    if (this.place === undefined) await this.files.makeDirectory(this.directory);
    const now = await this.files.identity(this.directory);
    this.place ??= now;
    if (now !== this.place)
      throw new SpoolUnavailableError(
        `the directory of the spool, ${this.directory}, was removed, moved or replaced; put it back, or restart the service`,
      );
  }

  /** Sequence numbers below this one were given already. */
  skipTo(next: number): void {
    this.nextSequence = Math.max(this.nextSequence, next);
  }

  /** The first of this many sequence numbers, which are never given again. */
  takeSequences(count: number): number {
    const first = this.nextSequence;
    this.nextSequence += count;
    return first;
  }

  /** The segment's file, for reading. The caller closes it. */
  open({ path }: Segment): Promise<SpoolFile> {
    return this.files.open(path, 'read');
  }

  /** The segment that is written; a new one, named after the next sequence number, when there is none. */
  async writable(nextSequence: number): Promise<Segment> {
    if (this.active) return this.active.segment;
    await this.assertDirectory();
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

  /** Removes the segment and its file. */
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

  /** Copies bytes of a segment to where people can look at them. Doing it again changes nothing. */
  async quarantine(segment: Segment, offset: number, length: number): Promise<string> {
    const name = `${segment.name}.${offset}`;
    const file = await this.open(segment);
    const bytes = await file.read(length, offset).finally(() => file.close());
    const directory = `${this.directory}/${QUARANTINE}`;
    await this.files.makeDirectory(directory);
    await writeWholeFile(this.files, directory, name, [bytes]);
    return `${directory}/${name}`;
  }

  /** A segment that the disk does not open has no bytes until it does. */
  private async measure(segment: Segment): Promise<void> {
    try {
      const file = await this.open(segment);
      segment.measured(await file.size().finally(() => file.close()));
    } catch {
      segment.notOpened();
    }
  }

  private newSegment(name: string, first: number): Segment {
    return new Segment(name, `${this.directory}/${name}`, first);
  }

  private requireActive(): { readonly segment: Segment; readonly file: SpoolFile } {
    if (!this.active) throw new Error('no segment is open for writing');
    return this.active;
  }
}
