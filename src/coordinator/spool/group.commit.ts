import { RingDeque } from '../ring.deque.js';
import { Waiter } from '../waiter.js';
import type { DiskFault } from './disk.fault.js';
import { groupBytes, type GroupEntry } from './group.bytes.js';
import type { SegmentRetention } from './segment.retention.js';
import type { SegmentStore } from './segment.store.js';
import type { Segment } from './segment.js';
import { SpoolBusyError, SpoolFullError } from './spool.errors.js';
import type { SpoolOptions } from './spool.options.js';
import { HEADER_BYTES } from './spool.record.js';

const SECOND = 1_000;
const MIB = 1024 * 1024;
/**
 * One write covers at most so many bytes, or half of what waits if that is more: whoever waits sends nothing that could
 * be decoded meanwhile, and the clients of the rest do. Four clients with bodies of 5,000 bars, which are two writes
 * then, are accepted 4 to 8 % faster than when all that waits is one; where a sync is slow and much waits, groups are
 * large all the same.
 */
const USUAL_GROUP_BYTES = MIB;
/** And never more, if it is more than one entry: the first in a group waits for the last. */
const GROUP_BYTES = 16 * MIB;
const MAX_WAITING_BYTES = 128 * MIB;
/** How often the segment that is written is compared with what lies under its name. */
const PLACE_MS = SECOND;

/** An entry as it is given to the spool. */
export interface SpoolInput<T> {
  /** What is written; not changed afterwards, so leave it as it is. */
  readonly payload: readonly Buffer[];
  readonly rows: number;
  /** When it was received: Unix epoch, microseconds. */
  readonly time: number;
  /** Handed to the reader together with the entry, if it need not be read back from disk. */
  readonly entry: T;
  /** Called as soon as it is safe, before the reader can have it. */
  readonly onSafe?: ((sequence: number) => void) | undefined;
  /** True: its rows are accepted already, and were dead letters since. */
  readonly replayed?: boolean | undefined;
}

/** An entry that waits to be written. */
export interface Append<T> extends GroupEntry {
  readonly input: SpoolInput<T>;
  readonly waiter: Waiter<number>;
}

/** Writes what waits in groups: one write, through to the disk, for all of a group. */
export class GroupCommit<T> {
  private readonly waiting = new RingDeque<Append<T>>();
  private waitingBytes = 0;
  private flushing: Promise<void> | undefined;
  private syncStartedAt: number | undefined;
  private readonly placeTimer: NodeJS.Timeout;
  private placeIsDue = false;

  constructor(
    private readonly options: SpoolOptions,
    private readonly store: SegmentStore,
    private readonly retention: SegmentRetention,
    private readonly fault: DiskFault,
    /** Bytes after which a new segment is begun. */
    private readonly segmentBytes: number,
    /** Told of a group that is safe, the first of which got the sequence number `first`. */
    private readonly onSafe: (segment: Segment, group: readonly Append<T>[], first: number) => void,
  ) {
    this.placeTimer = setInterval(() => this.checkPlace(), options.placeMs ?? PLACE_MS).unref();
  }

  /** How long the write that runs now has taken. */
  get syncingSeconds(): number {
    return this.syncStartedAt === undefined ? 0 : (performance.now() - this.syncStartedAt) / SECOND;
  }

  /** Resolves with the entry's sequence number when it is safe on disk. */
  append(input: SpoolInput<T>): Promise<number> {
    let bytes = HEADER_BYTES;
    for (const { length } of input.payload) bytes += length;
    const { maxWaitingBytes = MAX_WAITING_BYTES } = this.options;
    if (this.waitingBytes > 0 && this.waitingBytes + bytes > maxWaitingBytes)
      throw new SpoolBusyError(this.waitingBytes);
    const append: Append<T> = { input, bytes, waiter: new Waiter<number>() };
    this.waiting.push(append);
    this.waitingBytes += bytes;
    this.flushing ??= this.flush();
    return append.waiter.promise;
  }

  /** Resolves when nothing waits, and looks no more whether the spool is in its place. */
  async close(): Promise<void> {
    clearInterval(this.placeTimer);
    await this.flushing;
  }

  /** Between two writes: a fault ends the segment. */
  private checkPlace(): void {
    this.placeIsDue = true;
    this.flushing ??= this.flush();
  }

  private async flush(): Promise<void> {
    while (this.waiting.length > 0 || this.placeIsDue) {
      if (this.placeIsDue) {
        await this.assertPlace();
        continue;
      }
      const group = this.takeGroup();
      const bytes = group.reduce((sum, append) => sum + append.bytes, 0);
      try {
        await this.write(group, bytes);
      } catch (error) {
        await this.refuse(group, error);
      } finally {
        this.waitingBytes -= bytes;
      }
    }
    this.flushing = undefined;
  }

  private async assertPlace(): Promise<void> {
    this.placeIsDue = false;
    if (this.fault.current) return;
    try {
      await this.store.assertInPlace();
    } catch (error) {
      await this.fault.begin(error);
    }
  }

  private takeGroup(): Append<T>[] {
    const group: Append<T>[] = [];
    const most = Math.min(Math.max(USUAL_GROUP_BYTES, this.waitingBytes / 2), GROUP_BYTES);
    let bytes = 0;
    for (let next = this.waiting.peek(); next; next = this.waiting.peek()) {
      bytes += next.bytes;
      if (bytes > most && group.length > 0) break;
      this.waiting.shift();
      group.push(next);
    }
    return group;
  }

  private async write(group: readonly Append<T>[], bytes: number): Promise<void> {
    if (this.fault.current) throw this.fault.current;
    await this.retention.makeRoom(bytes);
    const first = this.store.takeSequences(group.length);
    if ((this.store.current?.bytes ?? 0) >= this.segmentBytes) {
      await this.store.assertInPlace();
      await this.store.seal({ cut: false });
    }
    const segment = await this.store.writable(first);
    await this.timed(this.store.write(groupBytes(group, first)));
    this.onSafe(segment, group, first);
  }

  private async timed(write: Promise<void>): Promise<void> {
    const startedAt = performance.now();
    this.syncStartedAt = startedAt;
    try {
      await write;
      this.options.observer?.onSync?.((performance.now() - startedAt) / SECOND);
    } finally {
      this.syncStartedAt = undefined;
    }
  }

  private async refuse(group: readonly Append<T>[], error: unknown): Promise<void> {
    const reason = this.fault.nameOf(error);
    for (const { waiter } of group) waiter.reject(reason);
    if (reason === this.fault.current) return;
    if (reason === error && reason instanceof SpoolFullError) this.retention.quotaReached(reason);
    else await this.fault.begin(reason);
  }
}
