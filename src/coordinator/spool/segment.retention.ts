import type { Checkpoint } from './checkpoint.js';
import type { LedgerRecord } from './checkpoint.slot.js';
import type { Quarantine } from './quarantine.js';
import type { RowLedger } from './row.ledger.js';
import type { Segment } from './segment.js';
import type { SegmentStore } from './segment.store.js';
import { SpoolFullError } from './spool.errors.js';
import type { SpoolOptions } from './spool.options.js';
import type { UnreadRanges } from './unread.ranges.js';
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
  private checkpointFails = false;
  /** Records below it are accepted. */
  private acceptedBelow: number;
  /** Records below it were there at the start. */
  private readonly firstNew: number;

  constructor(
    private readonly options: SpoolOptions,
    private readonly store: SegmentStore,
    private readonly checkpoint: Checkpoint,
    private readonly records: UnsettledRecords,
    private readonly quarantine: Quarantine,
    private readonly unread: UnreadRanges,
    private readonly ledger: RowLedger,
    /** Told when the quota leaves room again. */
    private readonly onEnd: () => void,
    /** Told when the ledger of the checkpoint was gone on from after the start. */
    private readonly onRead: () => void,
  ) {
    this.acceptedBelow = store.next;
    this.firstNew = store.next;
    this.timer = setInterval(() => this.tick(), options.checkpointMs ?? CHECKPOINT_MS).unref();
  }

  /** Bytes of the segments in which something is not settled, as of the last checkpoint. */
  get unsettledBytes(): number {
    let bytes = 0;
    for (const segment of this.store.segments) if (segment.settledAt === undefined) bytes += segment.bytes;
    return bytes;
  }

  /** Writes the checkpoint and removes segments, one call at a time; `wanted` bytes are needed for new entries. */
  keepHouse(wanted = 0): Promise<void> {
    this.keeping = this.keeping.then(async () => {
      await this.quarantine.retry();
      // First: what the checkpoint does not name as settled is not removed.
      this.noteSettled();
      this.checkpointFails = !(await this.tried('the checkpoint of the spool', () => this.writeCheckpoint()));
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
    const unsettled = this.unsettledBytes;
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

  /** Records below this sequence number are durable: the ledger of the next checkpoint counts them. */
  accepted(below: number): void {
    this.acceptedBelow = below;
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

  /** @returns whether it worked */
  private async tried(what: string, action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.options.observer?.onRetry?.(what, error);
      return false;
    }
  }

  private async writeCheckpoint(): Promise<void> {
    const { checkpoint, records, quarantine, unread, store } = this;
    if (checkpoint.unread !== undefined && !(await this.resumeLedger())) return;
    const settledBelow = Math.min(records.settledBelow, quarantine.holdsAt, unread.holdsAt);
    const sequence = Math.max(checkpoint.sequence, settledBelow);
    const next = Math.max(this.acceptedBelow, sequence, checkpoint.ledger?.next ?? 0);
    const ledger = this.ledger.record(next, sequence, store.segments, store.current);
    if (sequence === checkpoint.sequence && isSame(ledger, checkpoint.ledger)) return;
    await store.assertDirectory();
    await checkpoint.write(sequence, ledger);
    this.ledger.written(ledger);
  }

  /**
   * Goes on from a checkpoint that the disk did not read at the start: once it has read it, and all that was there is
   * settled, as the ledger counts what is settled only. Another checkpoint in its place would forget the totals.
   * @returns whether it does
   */
  private async resumeLedger(): Promise<boolean> {
    const { checkpoint, store, firstNew } = this;
    const { late } = checkpoint;
    const isLeft = store.segments.some(({ first, settledAt }) => first < firstNew && settledAt === undefined);
    if (!late || isLeft) return false;
    const { sequence, ledger } = late;
    const found = ledger && (await store.lookAgain(firstNew, sequence, ledger));
    if (ledger && found) {
      const settled = new Set(ledger.replayUntil > 0 ? [] : ledger.settledSegments);
      const again = { committed: 0, deadLettered: 0 };
      for (const segment of store.segments.filter(({ first }) => first < firstNew)) {
        const { committed, deadLettered } = segment.settledBelow(
          settled.has(segment.first) ? firstNew : sequence,
        );
        again.committed += committed;
        again.deadLettered += deadLettered;
        segment.forgetBelow(firstNew);
      }
      this.ledger.goOn(ledger, found, again);
    }
    checkpoint.goOn(late);
    this.onRead();
    return true;
  }

  /** Whatever the checkpoint says: one entry that cannot be settled must not keep all the segments after its own. */
  private noteSettled(): void {
    const now = Date.now();
    for (const segment of this.store.segments) {
      if (this.records.covers(segment)) segment.markSettled(now);
    }
  }

  /** Some room, not just a little: a spool that is full again at once would say so over and over. */
  private endOverQuota(): void {
    if (!this.overQuota) return;
    if (this.unsettledBytes > QUOTA_FREE * this.options.maxBytes) return;
    this.overQuota = undefined;
    this.onEnd();
  }

  /**
   * True when the checkpoint on disk names all of the segment as settled. One that was removed without would be missed at
   * the next start. When a full disk has no room even for the checkpoint it is removed all the same: a kill before the
   * next checkpoint then leaves a residual, and the rows are in PostgreSQL.
   */
  private isRecorded({ last, first }: Segment): boolean {
    const { sequence, ledger } = this.checkpoint;
    return last < sequence || ledger?.settledSegments.includes(first) === true;
  }

  /** Removes settled segments: those kept long enough, and as many more, oldest first, as make `wanted` bytes. */
  private async reclaim(wanted: number): Promise<void> {
    const longEnough = Date.now() - this.options.retainMs;
    for (const segment of [...this.store.segments]) {
      // Asked anew: while others were removed the one that is written may have got a record.
      const needed = wanted > 0;
      if (segment.settledAt === undefined) continue;
      const mayBeLost = needed && this.checkpointFails && this.checkpoint.unread === undefined;
      if (!this.isRecorded(segment) && !mayBeLost) continue;
      if (!needed && (segment.settledAt > longEnough || segment === this.store.current)) continue;
      wanted -= segment.bytes;
      await this.store.remove(segment);
    }
  }
}

/** Apart from the number of the write. */
function isSame(ledger: LedgerRecord, other: LedgerRecord | undefined): boolean {
  return other !== undefined && JSON.stringify({ ...ledger, serial: other.serial }) === JSON.stringify(other);
}
