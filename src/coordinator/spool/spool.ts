import { Waiter } from '../waiter.js';
import type { Backlog } from './backlog.js';
import { BacklogReader } from './backlog.reader.js';
import { Checkpoint } from './checkpoint.js';
import { DiskFault } from './disk.fault.js';
import { GroupCommit, type Append, type SpoolInput } from './group.commit.js';
import { Quarantine } from './quarantine.js';
import { applyReplay } from './replay.request.js';
import { RowLedger, type SpoolRows } from './row.ledger.js';
import { SegmentRetention } from './segment.retention.js';
import { SegmentStore } from './segment.store.js';
import { type Segment } from './segment.js';
import { SpoolUnavailableError } from './spool.errors.js';
import { nodeFileSystem } from './spool.file-system.js';
import type { SpoolOptions, SpoolRoom, SpoolSnapshot } from './spool.options.js';
import type { RecordHeader } from './spool.record.js';
import { SpoolTail } from './spool.tail.js';
import { UnreadRanges } from './unread.ranges.js';
import { UnsettledRecords } from './unsettled.records.js';

const MIB = 1024 * 1024;
const SEGMENT_BYTES = 64 * MIB;
const TAIL_BYTES = 32 * MIB;

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
  readonly segment: Segment;
  readonly offset: number;
}

/**
 * A queue on disk. What `append` has resolved for survives any crash, and a power cut, until it is settled. It is
 * read in the order in which it was written, and read again after a restart unless it was settled and the checkpoint
 * knows of it. Memory holds the newest entries as far as a bound allows; the others are read back.
 */
export class Spool<T> {
  private readonly tail: SpoolTail<TailEntry<T>>;
  private readonly records: UnsettledRecords;
  private readonly unread: UnreadRanges;
  private readonly ledger: RowLedger;
  private readonly quarantine: Quarantine;
  private readonly retention: SegmentRetention;
  private readonly fault: DiskFault;
  private readonly writes: GroupCommit<T>;
  private readonly backlog: BacklogReader;
  /** Bytes of room that is kept for entries under way. */
  private reserved = 0;
  private wake: Waiter<void> | undefined;
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly options: SpoolOptions,
    private readonly store: SegmentStore,
    private readonly checkpoint: Checkpoint,
    /** What was there at the start. */
    readonly recovered: Backlog,
  ) {
    const segmentBytes = Math.min(options.segmentBytes ?? SEGMENT_BYTES, Math.ceil(options.maxBytes / 8));
    const before = Math.max(0, checkpoint.sequence - 1);
    this.tail = new SpoolTail(options.tailBytes ?? TAIL_BYTES);
    this.records = new UnsettledRecords(recovered.rows, before, recovered.oldestTime);
    this.unread = new UnreadRanges(() => this.wakeReader());
    this.ledger = new RowLedger(checkpoint.ledger, recovered);
    this.quarantine = new Quarantine(store, options.observer ?? {}, checkpoint.damagedSlots);
    const onEnd = () => this.tellIfHealed();
    this.retention = new SegmentRetention(
      options,
      store,
      checkpoint,
      this.records,
      this.quarantine,
      this.unread,
      this.ledger,
      onEnd,
      () => this.ledger.balance(this.whereRowsAre()),
    );
    this.fault = new DiskFault(options, store, checkpoint, this.retention, segmentBytes, onEnd);
    this.writes = new GroupCommit(options, store, this.retention, this.fault, segmentBytes, (...group) =>
      this.written(...group),
    );
    this.backlog = new BacklogReader({
      store,
      records: this.records,
      quarantine: this.quarantine,
      unread: this.unread,
      observer: options.observer ?? {},
      onFound: (header) => this.found(header),
    });
    this.ledger.balance(this.whereRowsAre());
  }

  /**
   * Opens the spool in a directory that no other process uses. Takes seconds at most, whatever is in it; a disk that
   * cannot be written is a fault that heals later.
   */
  static async open<T>(options: SpoolOptions): Promise<Spool<T>> {
    const { directory, files = nodeFileSystem } = options;
    const made = await failureOf(files.makeDirectory(directory));
    await applyReplay(files, directory).catch((error: unknown) =>
      options.observer?.onRetry?.('the replay that was asked for', error),
    );
    const checkpoint = await Checkpoint.open(files, directory, options.checkpointPauseMs);
    if (checkpoint.unread !== undefined)
      options.observer?.onRetry?.('reading the checkpoint', checkpoint.unread);
    else if (checkpoint.damagedSlots > 0) {
      const damage = new Error('a part of it is damaged; at worst all there is will be written again');
      options.observer?.onRetry?.('reading the checkpoint', damage);
    }
    const store = new SegmentStore(files, directory);
    const spool = new Spool<T>(
      options,
      store,
      checkpoint,
      await store.load(checkpoint.sequence, checkpoint.ledger),
    );
    const failure =
      made ?? (await failureOf(checkpoint.prepare())) ?? (await failureOf(store.assertDirectory()));
    store.skipTo(checkpoint.next);
    if (failure) await spool.fault.begin(failure.error);
    return spool;
  }

  /** Why nothing can be written now. */
  get failure(): Error | undefined {
    return this.fault.current;
  }

  /** Why nothing is taken now: the disk fails, or the quota was used up and has no room to speak of yet. */
  get refusal(): Error | undefined {
    return this.failure ?? this.retention.overQuota;
  }

  /** Rows that are not settled. */
  get rows(): number {
    return this.records.rows;
  }

  /** The newest time of receipt that was ever given to `append`, Unix epoch microseconds; 0 before the first. */
  get newestTime(): number {
    return Math.max(this.ledger.newestTime, this.checkpoint.late?.ledger?.newestTime ?? 0);
  }

  /** The spool now. */
  snapshot(): SpoolSnapshot {
    const { unread, late } = this.checkpoint;
    const isCheckpointUnread = unread !== undefined && !late;
    return {
      bytes: this.store.bytes,
      maxBytes: this.options.maxBytes,
      unsettledBytes: this.retention.unsettledBytes,
      rows: this.records.rows,
      totals: this.ledger.totals(this.whereRowsAre()),
      unread: {
        places: this.unread.size + (isCheckpointUnread ? 1 : 0),
        error: this.unread.error ?? this.checkpoint.unread,
      },
      oldestAgeSeconds: this.records.oldestAgeSeconds(this.tail.peek()?.time),
      quarantined: this.quarantine.count,
      fault: this.fault.current,
      overQuota: this.retention.overQuota !== undefined,
      syncingSeconds: this.writes.syncingSeconds,
    };
  }

  /**
   * Room for an entry that is under way, which it takes as it comes; a lone one is let come however large it is.
   * @param announced about how many bytes it will have: one that has no room beside the others now is refused
   * @throws SpoolFullError, SpoolUnavailableError
   */
  reserve(announced: number): SpoolRoom {
    let own = 0;
    const assertRoom = (bytes: number): void => {
      if (this.refusal) throw this.refusal;
      if (this.reserved > own) this.retention.refuseBeyondRoom(this.reserved + bytes);
    };
    assertRoom(announced);
    return {
      grow: (bytes) => {
        assertRoom(bytes);
        this.reserved += bytes;
        own += bytes;
      },
      release: () => {
        this.reserved -= own;
        own = 0;
      },
    };
  }

  /**
   * Resolves with the entry's sequence number when it is safe on disk.
   * @throws SpoolFullError, SpoolUnavailableError, SpoolBusyError; whether it is on disk is then not known
   */
  async append(input: SpoolInput<T>): Promise<number> {
    if (this.closing) throw new SpoolUnavailableError('the spool is closed');
    if (this.fault.current) throw this.fault.current;
    return await this.writes.append(input);
  }

  /** The next entry in order; waits for one. Rejects with the signal's reason. For one reader only. */
  async next(signal: AbortSignal): Promise<SpoolItem<T>> {
    for (;;) {
      signal.throwIfAborted();
      if (this.unread.due) {
        const item = await this.readBack();
        if (item) return item;
      }
      const newest = this.tail.shift();
      if (newest) {
        this.records.handOut(newest.sequence, newest);
        return newest;
      }
      if (this.backlog.hasWork) {
        const item = await this.readBack();
        if (item) return item;
        // The signal may have come meanwhile; a wait begun after it would never end.
        continue;
      }
      this.wake = new Waiter<void>(signal);
      await this.wake.promise;
    }
  }

  /**
   * What was given to `append`, from the disk: of an entry that was handed out and is not settled.
   * @throws Error when the disk does not read it, or it is not as it was written
   */
  async readAgain(sequence: number): Promise<Buffer> {
    return await this.backlog.readAgain(sequence);
  }

  /** The entry is committed but for `deadLettered` rows, which are dead letters now: it need not be read again. */
  settle(sequence: number, deadLettered = 0): void {
    const outcome = this.records.settle(sequence, deadLettered);
    if (outcome) this.ledger.settle(outcome);
  }

  /** These rows were dead letters before the spool kept a ledger. Does nothing when it has one. */
  adoptDeadLetters(rows: number): void {
    this.ledger.adoptDeadLetters(rows);
  }

  /** A dead letter of this many rows was damaged on disk. */
  loseDeadLetter(rows: number): void {
    this.ledger.loseDeadLetter(rows);
  }

  /** Resolves when the checkpoint on disk knows of all that was appended and settled, if the disk takes it. */
  async writeCheckpoint(): Promise<void> {
    await this.retention.keepHouse();
  }

  /** Waits for what is being written, writes the checkpoint, and closes. Entries that are not settled stay. */
  close(): Promise<void> {
    return (this.closing ??= this.shutDown());
  }

  private async shutDown(): Promise<void> {
    await this.writes.close();
    await this.fault.close();
    await this.retention.close();
    this.unread.close();
    await this.backlog.close();
    await this.store.seal({ cut: false });
  }

  /** A fault of the disk and a quota used up may come together; each ends by itself. */
  private tellIfHealed(): void {
    if (!this.fault.current && !this.retention.overQuota) this.options.observer?.onHealed?.();
  }

  private async readBack(): Promise<SpoolItem<T> | undefined> {
    const record = await this.backlog.step();
    if (!record) {
      this.recountIfAllRead();
      return undefined;
    }
    const { segment, offset, payload, late } = record;
    const { sequence, rows, time } = record.header;
    if (late) this.records.handOutLate(sequence, { rows, time, segment, offset });
    else this.records.handOut(sequence, { rows, time, segment, offset });
    return { sequence, rows, time, content: { payload } };
  }

  /** A record turned up in a segment that could not be counted at the start. */
  private found(header: RecordHeader): void {
    this.records.add(header.rows);
    this.ledger.find(header);
    this.ledger.balance(this.whereRowsAre());
  }

  /** Rows that were counted at the start and are nowhere are known only when everything was read. */
  private recountIfAllRead(): void {
    if (this.backlog.hasWork || this.unread.haveUnknownRows) return;
    this.records.recount(this.tail.rows + this.unread.knownRows);
    this.ledger.balance(this.whereRowsAre());
  }

  private whereRowsAre(): SpoolRows {
    const { records, unread, backlog, tail } = this;
    const uncounted =
      this.checkpoint.unread !== undefined ||
      unread.haveUncountedRows ||
      (backlog.behind &&
        this.store.segments.some(({ counted, last }) => !counted && last > records.lastHandedOut));
    return {
      unsettled: records.rows,
      // Once all else was handed out, what was not can only be where the disk does not read.
      unread: unread.size === 0 ? 0 : backlog.behind ? unread.knownRows : records.waitingRows - tail.rows,
      uncounted,
    };
  }

  private wakeReader(): void {
    this.wake?.resolve();
    this.wake = undefined;
  }

  /** No await in here: an entry is in memory, or the reader's to read back. */
  private written(segment: Segment, group: readonly Append<T>[], first: number): void {
    group.forEach(({ input, bytes, waiter }, index) => {
      const { rows, time, entry, onSafe } = input;
      const sequence = first + index;
      if (!this.backlog.behind) {
        const { bytes: offset } = segment;
        const inMemory = this.tail.push({ sequence, rows, time, bytes, segment, offset, content: { entry } });
        if (!inMemory) this.backlog.beginAt(segment, offset);
      }
      segment.grew(bytes, sequence);
      this.records.add(rows);
      this.ledger.accept(rows, time, input.replayed ?? false);
      onSafe?.(sequence);
      waiter.resolve(sequence);
    });
    this.retention.accepted(first + group.length);
    this.wakeReader();
  }
}

async function failureOf(work: Promise<unknown>): Promise<{ readonly error: unknown } | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return { error };
  }
}
