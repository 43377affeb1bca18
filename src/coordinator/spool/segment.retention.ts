import type { Checkpoint } from './checkpoint.js';
import type { Quarantine } from './quarantine.js';
import type { SegmentStore } from './segment.store.js';
import { SpoolFullError } from './spool.errors.js';
import type { SpoolOptions } from './spool.options.js';
import type { UnsettledRecords } from './unsettled.records.js';

/** Also a service that is killed again and again must get on: what lies behind the checkpoint is written once more. */
const CHECKPOINT_MS = 250;
/** Share of the quota down to which unsettled entries must fall before the spool counts as having room again. */
const QUOTA_FREE = 0.8;

/** Writes the checkpoint, and removes segments that are settled: when they were kept long enough, or for their room. */
export class SegmentRetention {
  /** Why the quota leaves no room, until there is some again. */
  overQuota: Error | undefined;
  private readonly timer: NodeJS.Timeout;
  private keeping = Promise.resolve();
  private due = false;

  constructor(
    private readonly options: SpoolOptions,
    private readonly store: SegmentStore,
    private readonly checkpoint: Checkpoint,
    private readonly records: UnsettledRecords,
    private readonly quarantine: Quarantine,
    /** Told when the quota leaves room again. */
    private readonly onEnd: () => void,
  ) {
    this.timer = setInterval(() => this.tick(), options.checkpointMs ?? CHECKPOINT_MS).unref();
  }

  /** Writes the checkpoint and removes segments, one call at a time; `wanted` bytes are needed for new entries. */
  keepHouse(wanted = 0): Promise<void> {
    this.keeping = this.keeping.then(async () => {
      await this.quarantine.retry();
      await this.tried('the checkpoint of the spool', () => this.writeCheckpoint());
      // Also when there was no room for the checkpoint: reading settled records again would be harmless.
      this.noteSettled();
      this.endOverQuota();
      await this.tried('the removal of a segment', () => this.reclaim(wanted));
    });
    return this.keeping;
  }

  /**
   * Refuses one more entry that would find no room beside what is there and `reserved`, bytes. The quota counts as used
   * up when that is for what is there; others that are under way keep out a large entry, but not a small one.
   * @throws SpoolFullError
   */
  refuseBeyondRoom(reserved: number): void {
    const { maxBytes } = this.options;
    if (this.store.bytes + reserved <= maxBytes) return;
    this.noteSettled();
    const unsettled = this.unsettledBytes();
    if (unsettled + reserved <= maxBytes) return;
    const reason = new SpoolFullError(unsettled, maxBytes);
    if (unsettled > QUOTA_FREE * maxBytes) this.quotaReached(reason);
    throw reason;
  }

  /**
   * Room for so many bytes, at the expense of segments that are kept for replay only.
   * @throws SpoolFullError
   */
  async makeRoom(bytes: number): Promise<void> {
    const excess = () => this.store.bytes + bytes - this.options.maxBytes;
    if (excess() <= 0) return;
    await this.keepHouse(excess());
    if (excess() > 0) throw new SpoolFullError(this.store.bytes, this.options.maxBytes);
  }

  /** Entries had to be refused for want of room. */
  quotaReached(reason: Error): void {
    if (!this.overQuota) this.options.observer?.onFault?.(reason);
    this.overQuota ??= reason;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.keepHouse();
    await this.tried('closing the checkpoint', () => this.checkpoint.close());
  }

  /** While a disk hangs, waiting calls must not pile up. */
  private tick(): void {
    if (this.due) return;
    this.due = true;
    void this.keepHouse().then(() => (this.due = false));
  }

  private async tried(what: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.options.observer?.onRetry?.(what, error);
    }
  }

  private async writeCheckpoint(): Promise<void> {
    const settledBelow = Math.min(this.records.settledBelow, this.quarantine.holdsAt);
    if (settledBelow > this.checkpoint.sequence) await this.checkpoint.write(settledBelow);
  }

  /** Whatever the checkpoint says: one entry that cannot be settled must not keep all the segments after its own. */
  private noteSettled(): void {
    const now = Date.now();
    for (const segment of this.store.segments) {
      if (this.records.covers(segment)) segment.settledAt ??= now;
    }
  }

  /** Some room, not just a little: a spool that is full again at once would say so over and over. */
  private endOverQuota(): void {
    if (!this.overQuota) return;
    if (this.unsettledBytes() > QUOTA_FREE * this.options.maxBytes) return;
    this.overQuota = undefined;
    this.onEnd();
  }

  private unsettledBytes(): number {
    let bytes = 0;
    for (const segment of this.store.segments) if (segment.settledAt === undefined) bytes += segment.bytes;
    return bytes;
  }

  /** Removes settled segments: those kept long enough, and as many more, oldest first, as make `wanted` bytes. */
  private async reclaim(wanted: number): Promise<void> {
    const longEnough = Date.now() - this.options.retainMs;
    for (const segment of [...this.store.segments]) {
      // Asked anew: while others were removed the one that is written may have got a record.
      if (segment.settledAt === undefined || !this.records.covers(segment)) continue;
      const needed = wanted > 0;
      if (!needed && (segment.settledAt > longEnough || segment === this.store.current)) continue;
      wanted -= segment.bytes;
      await this.store.remove(segment);
    }
  }
}
