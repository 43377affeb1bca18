import { Waiter } from '../waiter.js';
import { Checkpoint } from './checkpoint.js';
import { applyReplay } from './replay.request.js';
import type { SegmentPiece, SegmentReader } from './segment.reader.js';
import { SegmentStore, type Segment } from './segment.store.js';
import { SpoolBusyError, SpoolFullError, SpoolUnavailableError } from './spool.errors.js';
import { nodeFileSystem, type SpoolFile } from './spool.file-system.js';
import type { SpoolObserver, SpoolOptions, SpoolSnapshot } from './spool.options.js';
import { crcOf, encodeHeader, HEADER_BYTES } from './spool.record.js';
import { SpoolTail } from './spool.tail.js';

const SECOND = 1_000;
const MIB = 1024 * 1024;
const MICROS_PER_SECOND = 1_000_000;
/** Bytes that one fdatasync covers at most: a larger group would make the first in it wait for the last. */
const GROUP_BYTES = 16 * MIB;
/** Share of the quota down to which unsettled entries must fall before the spool counts as having room again. */
const QUOTA_FREE = 0.8;
const NO_ROOM: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);

/** An entry as it is given to the spool. */
export interface SpoolInput<T> {
  /** What is written; not changed and not copied, so leave it as it is. */
  readonly payload: readonly Buffer[];
  readonly rows: number;
  /** When it was received: Unix epoch, microseconds. */
  readonly time: number;
  /** Handed to the reader together with the entry, if it need not be read back from disk. */
  readonly entry: T;
  /** Called as soon as it is safe, before the reader can have it. */
  readonly onSafe?: ((sequence: number) => void) | undefined;
}

/** An entry on its way out of the spool. */
export interface SpoolItem<T> {
  readonly sequence: number;
  readonly rows: number;
  readonly time: number;
  /** What was given, or what was read back. */
  readonly content: { readonly entry: T } | { readonly payload: Buffer };
}

interface TailEntry<T> extends SpoolItem<T> {
  readonly bytes: number;
}

interface Append<T> extends SpoolInput<T> {
  readonly bytes: number;
  readonly waiter: Waiter<number>;
}

type Damage = Extract<SegmentPiece, { kind: 'damage' }>;

/** A damaged record that is not in the quarantine yet. */
interface Damaged {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
  readonly rows: number | undefined;
  /** The sequence number handed out before it. */
  readonly after: number;
}

/** Where on disk the reader is. */
interface Cursor {
  readonly segment: Segment;
  readonly reader: SegmentReader;
  readonly file: SpoolFile;
}

/**
 * A queue on disk. What `append` has resolved for survives any crash, and a power cut, until it is settled. It is
 * read in the order in which it was written, and read again after a restart unless it was settled and the checkpoint
 * knows of it. Memory holds the newest entries as far as a bound allows; the others are read back.
 */
export class Spool<T> {
  private readonly tail: SpoolTail<TailEntry<T>>;
  private readonly observer: SpoolObserver;
  private readonly waiting: Append<T>[] = [];
  private waitingBytes = 0;
  private flushing: Promise<void> | undefined;
  private syncStartedAt: number | undefined;
  private nextSequence: number;

  /** True while entries that were not handed out lie on disk only. */
  private behind: boolean;
  private cursor: Cursor | undefined;
  /** Where the cursor begins: the first entry that is on disk only. */
  private resumeAt: { readonly segment: Segment; readonly offset: number } | undefined;
  private wake: Waiter<void> | undefined;

  /** Handed out and not settled, in order of sequence. */
  private readonly open = new Map<number, { readonly rows: number; readonly time: number }>();
  private lastHandedOut: number;
  /** Time of receipt of the newest entry handed out; those on disk only are hardly older. */
  private lastTime: number | undefined;
  /** In order. The checkpoint waits for them. */
  private readonly damaged: Damaged[] = [];
  private unsettledRows: number;
  private quarantined = 0;

  private fault: SpoolFullError | SpoolUnavailableError | undefined;
  private overQuota: Error | undefined;
  private healing: NodeJS.Timeout | undefined;
  private healingNow: Promise<void> | undefined;
  private closing: Promise<void> | undefined;
  private readonly housekeeping: NodeJS.Timeout;
  private keeping = Promise.resolve();

  private constructor(
    private readonly options: SpoolOptions,
    private readonly store: SegmentStore,
    private readonly checkpoint: Checkpoint,
    /** What was there at the start. */
    readonly recovered: {
      readonly records: number;
      readonly rows: number;
      readonly heaviest: number;
      readonly oldestTime: number | undefined;
    },
  ) {
    this.observer = options.observer ?? {};
    this.tail = new SpoolTail(options.tailBytes ?? 32 * MIB);
    this.unsettledRows = recovered.rows;
    this.lastTime = recovered.oldestTime;
    this.nextSequence = Math.max(
      1,
      checkpoint.sequence,
      ...store.segments.map(({ first, last }) => Math.max(first, last) + 1),
    );
    const first = store.segments.find(({ last }) => last >= checkpoint.sequence);
    this.resumeAt = first && { segment: first, offset: 0 };
    this.behind = first !== undefined;
    this.quarantined = checkpoint.damagedSlots;
    this.lastHandedOut = Math.max(0, checkpoint.sequence - 1);
    this.housekeeping = setInterval(() => void this.keepHouse(), options.checkpointMs ?? 500).unref();
  }

  /** Opens the spool in a directory that no other process uses. Takes seconds at most, whatever is in it. */
  static async open<T>(options: SpoolOptions): Promise<Spool<T>> {
    const files = options.files ?? nodeFileSystem;
    await files.makeDirectory(options.directory);
    await applyReplay(files, options.directory).catch((error: unknown) =>
      options.observer?.onRetry?.('the replay that was asked for', error),
    );
    const checkpoint = await Checkpoint.open(files, options.directory);
    if (checkpoint.damagedSlots > 0) {
      options.observer?.onRetry?.(
        'reading the checkpoint',
        new Error('a slot of it is damaged; the other is used'),
      );
    }
    const store = new SegmentStore(files, options.directory);
    const recovered = await store.load(checkpoint.sequence);
    return new Spool<T>(options, store, checkpoint, recovered);
  }

  /** Rows that are not settled. */
  get rows(): number {
    return this.unsettledRows;
  }

  /** The spool now. */
  snapshot(): SpoolSnapshot {
    return {
      bytes: this.store.bytes,
      maxBytes: this.options.maxBytes,
      rows: this.unsettledRows,
      oldestAgeSeconds: this.oldestAgeSeconds(),
      quarantined: this.quarantined,
      fault: this.fault,
      overQuota: this.overQuota !== undefined,
      syncingSeconds:
        this.syncStartedAt === undefined ? 0 : (performance.now() - this.syncStartedAt) / SECOND,
    };
  }

  /**
   * Resolves with the entry's sequence number when it is safe on disk.
   * @throws SpoolFullError, SpoolUnavailableError, SpoolBusyError; whether it is on disk is then not known
   */
  async append(input: SpoolInput<T>): Promise<number> {
    if (this.closing) throw new SpoolUnavailableError('the spool is closed');
    if (this.fault) throw this.fault;
    const bytes = HEADER_BYTES + input.payload.reduce((sum, { length }) => sum + length, 0);
    const { maxWaitingBytes = 128 * MIB } = this.options;
    if (this.waitingBytes > 0 && this.waitingBytes + bytes > maxWaitingBytes)
      throw new SpoolBusyError(this.waitingBytes);
    const append: Append<T> = { ...input, bytes, waiter: new Waiter<number>() };
    this.waiting.push(append);
    this.waitingBytes += bytes;
    this.flushing ??= this.flush();
    return await append.waiter.promise;
  }

  /** The next entry in order; waits for one. Rejects with the signal's reason. For one reader only. */
  async next(signal: AbortSignal): Promise<SpoolItem<T>> {
    for (;;) {
      signal.throwIfAborted();
      const newest = this.tail.shift();
      if (newest) return this.handOut(newest);
      if (this.behind) {
        const item = await this.readBack();
        if (item) return this.handOut(item);
        // The signal may have come meanwhile; a wait begun after it would never end.
        continue;
      }
      this.wake = new Waiter<void>(signal);
      await this.wake.promise;
    }
  }

  /** The entry is committed, or in the dead-letter queue: it need not be read again. */
  settle(sequence: number): void {
    const entry = this.open.get(sequence);
    if (!entry) return;
    this.open.delete(sequence);
    this.unsettledRows -= entry.rows;
  }

  /** Waits for what is being written, writes the checkpoint, and closes. Entries that are not settled stay. */
  close(): Promise<void> {
    return (this.closing ??= this.shutDown());
  }

  private async shutDown(): Promise<void> {
    clearInterval(this.housekeeping);
    clearTimeout(this.healing);
    await this.flushing;
    await this.healingNow;
    await this.keepHouse();
    await this.cursor?.file.close();
    await this.store.seal({ cut: false });
    await this.checkpoint.close();
  }

  // --- writing ---

  private async flush(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.takeGroup();
      try {
        await this.writeGroup(group);
      } catch (error) {
        const reason = this.reasonOf(error);
        for (const { waiter } of group) waiter.reject(reason);
        if (reason !== error) await this.fail(reason);
        else if (reason !== this.fault) this.quotaReached(reason);
      }
    }
    this.flushing = undefined;
  }

  private takeGroup(): Append<T>[] {
    let bytes = 0;
    const end = this.waiting.findIndex((append, index) => (bytes += append.bytes) > GROUP_BYTES && index > 0);
    return this.waiting.splice(0, end < 0 ? this.waiting.length : end);
  }

  /** One write and one fdatasync for all of the group. */
  private async writeGroup(group: readonly Append<T>[]): Promise<void> {
    const bytes = group.reduce((sum, append) => sum + append.bytes, 0);
    try {
      if (this.fault) throw this.fault;
      await this.makeRoom(bytes);
      const first = this.nextSequence;
      this.nextSequence += group.length;
      if ((this.store.current?.bytes ?? 0) >= this.segmentBytes) await this.store.seal({ cut: false });
      const segment = await this.store.writable(first);
      await this.store.write(
        group.flatMap((append, index) => [this.headerOf(append, first + index), ...append.payload]),
      );
      this.syncStartedAt = performance.now();
      await this.store.sync();
      this.observer.onSync?.((performance.now() - this.syncStartedAt) / SECOND);
      this.written(segment, group, first);
    } finally {
      this.syncStartedAt = undefined;
      this.waitingBytes -= bytes;
    }
  }

  private headerOf({ payload, rows, time, bytes }: Append<T>, sequence: number): Buffer {
    return encodeHeader({ sequence, time, rows, length: bytes - HEADER_BYTES, payloadCrc: crcOf(payload) });
  }

  private written(segment: Segment, group: readonly Append<T>[], first: number): void {
    group.forEach(({ rows, time, bytes, entry, waiter, onSafe }, index) => {
      const sequence = first + index;
      const inMemory = !this.behind && this.tail.push({ sequence, rows, time, bytes, content: { entry } });
      if (!inMemory && !this.behind) {
        this.behind = true;
        this.resumeAt = { segment, offset: segment.bytes };
      }
      segment.bytes += bytes;
      segment.last = sequence;
      segment.settledAt = undefined;
      this.unsettledRows += rows;
      onSafe?.(sequence);
      waiter.resolve(sequence);
    });
    this.wake?.resolve();
    this.wake = undefined;
  }

  private get segmentBytes(): number {
    return Math.min(this.options.segmentBytes ?? 64 * MIB, Math.ceil(this.options.maxBytes / 8));
  }

  // --- trouble with the disk ---

  private reasonOf(error: unknown): Error {
    if (error instanceof SpoolFullError || error instanceof SpoolUnavailableError) return error;
    if (NO_ROOM.has((error as NodeJS.ErrnoException).code))
      return new SpoolFullError(this.store.bytes, this.options.maxBytes, error);
    return new SpoolUnavailableError('the spool cannot be written', error);
  }

  /** After a failed write or sync nobody knows what the disk holds: that segment takes nothing more, ever. */
  private async fail(reason: Error): Promise<void> {
    this.fault = reason as SpoolFullError | SpoolUnavailableError;
    this.observer.onFault?.(reason);
    await this.store.seal({ cut: true });
    this.armHealing();
  }

  private quotaReached(reason: Error): void {
    if (!this.overQuota) this.observer.onFault?.(reason);
    this.overQuota ??= reason;
  }

  /** Some room, not just a little: a spool that is full again at once would say so over and over. */
  private endOverQuota(): void {
    const unsettled = this.store.segments.filter(({ settledAt }) => settledAt === undefined);
    const bytes = unsettled.reduce((sum, segment) => sum + segment.bytes, 0);
    if (!this.overQuota || bytes > QUOTA_FREE * this.options.maxBytes) return;
    this.overQuota = undefined;
    this.observer.onHealed?.();
  }

  private armHealing(): void {
    if (this.closing) return;
    this.healing = setTimeout(() => {
      this.healingNow = this.heal();
    }, this.options.healMs ?? SECOND).unref();
  }

  private async heal(): Promise<void> {
    try {
      // Segments kept for replay are the first to make room for new entries.
      if (this.fault instanceof SpoolFullError) await this.keepHouse(this.segmentBytes);
      await this.store.probe(this.nextSequence++);
    } catch {
      await this.store.seal({ cut: true });
      this.armHealing();
      return;
    }
    this.fault = undefined;
    this.observer.onHealed?.();
  }

  // --- reading back ---

  private handOut(item: SpoolItem<T>): SpoolItem<T> {
    const { sequence, rows, time } = item;
    this.open.set(sequence, { rows, time });
    this.lastTime = time;
    this.lastHandedOut = sequence;
    return item;
  }

  /** The next entry on disk; undefined when there is no more, and from then on memory holds the newest again. */
  private async readBack(): Promise<SpoolItem<T> | undefined> {
    const cursor = (this.cursor ??= await this.startCursor());
    if (!cursor) return undefined;
    const { segment, reader } = cursor;
    const piece = await reader.next(segment.bytes);
    if (!piece) {
      await this.endOfSegment(cursor);
      return undefined;
    }
    if (piece.kind === 'damage') {
      await this.passOver(segment, piece);
      return undefined;
    }
    if (piece.kind === 'torn' || !piece.payload) return undefined;
    const { sequence, rows, time } = piece.header;
    if (this.isOver(segment, sequence)) return undefined;
    return { sequence, rows, time, content: { payload: piece.payload } };
  }

  /**
   * True for what was settled before the last start, and for a write that failed and was cut off, when a power cut
   * undid the cut: the process after it gave the number anew, to an entry in the next segment.
   */
  private isOver(segment: Segment, sequence: number): boolean {
    return sequence <= this.lastHandedOut || sequence > segment.last;
  }

  private async startCursor(): Promise<Cursor | undefined> {
    const { resumeAt } = this;
    if (!resumeAt) throw new Error('the spool has nothing to read back');
    const { segment, offset } = resumeAt;
    try {
      return { segment, ...(await this.store.read(segment, offset)) };
    } catch (error) {
      if (this.store.segments.includes(segment)) throw error;
      // It was empty, and was removed meanwhile.
      this.leave(segment);
      return undefined;
    }
  }

  private async endOfSegment({ segment, reader, file }: Cursor): Promise<void> {
    if (reader.offset < segment.bytes) return;
    this.leave(segment);
    await file.close();
  }

  /** Nothing in it is left to read. No await in here: an entry written meanwhile would be in neither place. */
  private leave(segment: Segment): void {
    this.lastHandedOut = Math.max(this.lastHandedOut, segment.last);
    const next = this.store.after(segment);
    this.cursor = undefined;
    this.resumeAt = next && { segment: next, offset: 0 };
    if (next) return;
    this.behind = false;
    // Rows of records whose header was damaged are known only now, by what is missing.
    this.unsettledRows = 0;
    for (const { rows } of this.open.values()) this.unsettledRows += rows;
  }

  /** A damaged record counts as handed out; it is as good as settled when its bytes are in the quarantine. */
  private async passOver(segment: Segment, { offset, length, header }: Damage): Promise<void> {
    if (header && this.isOver(segment, header.sequence)) return;
    const damaged = { segment, offset, length, rows: header?.rows, after: this.lastHandedOut };
    this.damaged.push(damaged);
    if (header) this.lastHandedOut = header.sequence;
    this.unsettledRows -= header?.rows ?? 0;
    await this.putAside(damaged);
  }

  /** A full disk must not stop the reader, which makes room: what cannot be put aside now stays where it is. */
  private async putAside(damaged: Damaged): Promise<void> {
    const { segment, offset, length, rows } = damaged;
    try {
      const path = await this.store.quarantine(segment, offset, length);
      const index = this.damaged.indexOf(damaged);
      if (index < 0) return;
      this.damaged.splice(index, 1);
      this.quarantined++;
      this.observer.onQuarantine?.(path, length, rows);
    } catch (error) {
      this.observer.onRetry?.('putting a damaged record aside', error);
    }
  }

  // --- housekeeping ---

  /** All records below it are settled. */
  private get settledBelow(): number {
    const [oldest = this.lastHandedOut + 1] = this.open.keys();
    const [damaged] = this.damaged;
    return damaged ? Math.min(oldest, damaged.after + 1) : oldest;
  }

  /** Writes the checkpoint and removes segments, one call at a time; `wanted` bytes are needed for new entries. */
  private keepHouse(wanted = 0): Promise<void> {
    this.keeping = this.keeping.then(async () => {
      for (const damaged of [...this.damaged]) await this.putAside(damaged);
      await this.tried('the checkpoint of the spool', () => this.writeCheckpoint());
      // Also when there was no room for the checkpoint: what the one before covers can still make room.
      this.noteSettled();
      this.endOverQuota();
      await this.tried('the removal of a segment', () => this.reclaim(wanted));
    });
    return this.keeping;
  }

  private async tried(what: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.observer.onRetry?.(what, error);
    }
  }

  private async writeCheckpoint(): Promise<void> {
    const settledBelow = this.settledBelow;
    if (settledBelow > this.checkpoint.sequence) await this.checkpoint.write(settledBelow);
  }

  private noteSettled(): void {
    const now = Date.now();
    for (const segment of this.store.segments) {
      if (segment.last < this.checkpoint.sequence) segment.settledAt ??= now;
    }
  }

  /** Room for so many bytes, at the expense of segments that are kept for replay only. */
  private async makeRoom(bytes: number): Promise<void> {
    const excess = () => this.store.bytes + bytes - this.options.maxBytes;
    if (excess() <= 0) return;
    await this.keepHouse(excess());
    if (excess() > 0) throw new SpoolFullError(this.store.bytes, this.options.maxBytes);
  }

  /** Removes settled segments: those kept long enough, and as many more, oldest first, as make `wanted` bytes. */
  private async reclaim(wanted: number): Promise<void> {
    const longEnough = Date.now() - this.options.retainMs;
    for (const segment of [...this.store.segments]) {
      if (segment.settledAt === undefined || segment.last >= this.checkpoint.sequence) return;
      const needed = wanted > 0;
      if (!needed && (segment.settledAt > longEnough || segment === this.store.current)) return;
      wanted -= segment.bytes;
      await this.store.remove(segment);
    }
  }

  private oldestAgeSeconds(): number {
    if (this.unsettledRows === 0) return 0;
    const [oldest] = this.open.values();
    const time = oldest?.time ?? this.tail.peek()?.time ?? this.lastTime;
    return time === undefined ? 0 : Math.max(0, Date.now() / SECOND - time / MICROS_PER_SECOND);
  }
}
