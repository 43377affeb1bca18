import type { Backlog } from './backlog.js';
import type { LedgerRecord } from './checkpoint.slot.js';
import type { Segment, Settled } from './segment.js';
import type { RecordHeader } from './spool.record.js';

/** More would not fit into the block of the checkpoint. Those left out are read again after a restart. */
const MOST_SETTLED_SEGMENTS = 150;

/** Where rows are, at one moment. `accepted` is the sum of all others. */
export interface RowTotals {
  /** Rows of all records that ever became durable; replayed ones count once more. */
  readonly accepted: number;
  readonly committed: number;
  /** Rows put into the dead-letter queue and not replayed from there. */
  readonly deadLettered: number;
  /** Rows in the spool that are not settled. */
  readonly spooled: number;
  /** Rows known to be in the spool, in places that the disk does not read now; 1 at least where nobody knows how many. */
  readonly unread: number;
  /** Rows given up on the operator's word. */
  readonly lost: number;
  /** Rows that are nowhere: 0 unless a disk has lost something. */
  readonly residual: number;
}

/** What the ledger needs to know of the spool to say where all rows are. */
export interface SpoolRows {
  /** Rows that are not settled. */
  readonly unsettled: number;
  /** Those of them that the disk does not read now. */
  readonly unread: number;
  /** True while rows that nobody has counted may lie where the disk does not read. */
  readonly uncounted: boolean;
}

/** Counts rows from the making of the spool on; the checkpoint carries the totals over restarts. */
export class RowLedger {
  private accepted: number;
  private committed: number;
  private deadLettered: number;
  private lost: number;
  private lossUnknown: boolean;
  private serial: number;
  private newest: number;
  /** Dead letters of which no checkpoint told. */
  private adopted = 0;

  /**
   * @param before what the checkpoint says; undefined when there is no ledger yet
   * @param found what the look at the segments found
   */
  constructor(
    private before: LedgerRecord | undefined,
    found: Backlog,
  ) {
    this.accepted = before ? before.accepted + found.newRows + found.replayedRows : found.rows;
    this.committed = before?.committed ?? 0;
    this.deadLettered = before?.deadLettered ?? 0;
    this.lost = before?.lost ?? 0;
    this.lossUnknown = before?.lossUnknown ?? false;
    this.serial = before?.serial ?? 0;
    this.newest = Math.max(before?.newestTime ?? 0, found.newestTime);
  }

  /** The newest time of receipt that was ever given out, Unix epoch microseconds; 0 before the first. */
  get newestTime(): number {
    return this.newest;
  }

  /** Rows became durable. `replayed`: they were dead letters before. */
  accept(rows: number, time: number, replayed: boolean): void {
    if (replayed) this.deadLettered -= rows;
    else this.accepted += rows;
    this.newest = Math.max(this.newest, time);
  }

  /** A record turned up that the look at the start could not count. */
  find({ sequence, rows, time }: RecordHeader): void {
    const { next = 0, replayUntil = 0 } = this.before ?? {};
    if (sequence >= next) this.accepted += rows;
    if (sequence < replayUntil) this.accepted += rows;
    this.newest = Math.max(this.newest, time);
  }

  settle({ committed, deadLettered }: Settled): void {
    this.committed += committed;
    this.deadLettered += deadLettered;
  }

  /** Rows were dead letters before there was a ledger. */
  adoptDeadLetters(rows: number): void {
    if (this.before) return;
    this.adopted += rows;
    this.accepted += rows;
    this.deadLettered += rows;
  }

  /**
   * Goes on from a ledger that the disk did not read at the start. All that was in the spool then has been counted as new,
   * and is settled by now.
   * @param found what a look at the segments of the start, with this ledger, found
   * @param again what was settled once more, though the ledger has it as settled
   */
  goOn(before: LedgerRecord, found: Backlog, again: Settled): void {
    const old = again.committed + again.deadLettered + found.rows + this.adopted;
    this.accepted += before.accepted + found.newRows + found.replayedRows - old;
    this.committed += before.committed - again.committed;
    this.deadLettered += before.deadLettered - again.deadLettered - this.adopted;
    this.lost += before.lost;
    this.lossUnknown ||= before.lossUnknown;
    this.serial = before.serial;
    this.newest = Math.max(this.newest, before.newestTime);
    this.before = before;
  }

  /** A dead letter was damaged on disk: its rows are nowhere now. */
  loseDeadLetter(rows: number): void {
    this.deadLettered -= rows;
  }

  /**
   * To be called after the start, and whenever rows were found since. More rows than were accepted: a write failed after
   * its bytes were on disk, and its producer was told otherwise. Fewer, after the operator gave up bytes whose rows nobody
   * knew: those are lost.
   */
  balance(rows: SpoolRows): void {
    const missing = this.missing(rows.unsettled);
    if (missing < 0) this.accepted -= missing;
    if (!this.lossUnknown || rows.uncounted) return;
    this.lost += Math.max(0, missing);
    this.lossUnknown = false;
  }

  /** Where all rows are. */
  totals({ unsettled, unread, uncounted }: SpoolRows): RowTotals {
    const { committed, deadLettered, lost } = this;
    const missing = this.missing(unsettled);
    // A place that nobody has counted is not taken for an empty one: that would read as if nothing were missing.
    const unheard = uncounted && missing <= 0 ? 1 : 0;
    const hidden = uncounted ? Math.max(0, missing) + unheard : 0;
    return {
      accepted: this.accepted + unheard,
      committed,
      deadLettered,
      spooled: unsettled - unread,
      unread: unread + hidden,
      lost,
      residual: missing + unheard - hidden,
    };
  }

  /**
   * The ledger as it goes to disk with the checkpoint `sequence`. What is settled in records that will be read again
   * after a restart is left out.
   * @param next records below it are accepted
   * @param current the segment that is written, which may grow
   */
  record(
    next: number,
    sequence: number,
    segments: readonly Segment[],
    current: Segment | undefined,
  ): LedgerRecord {
    const settledSegments: number[] = [];
    let { committed, deadLettered } = this;
    for (const segment of segments) {
      segment.forgetBelow(sequence);
      if (segment.last < sequence) continue;
      const settled = segment.settledAt !== undefined && segment !== current;
      if (settled && (segment.folded || settledSegments.length < MOST_SETTLED_SEGMENTS)) {
        segment.fold();
        settledSegments.push(segment.first);
        continue;
      }
      const { ahead } = segment;
      committed -= ahead.committed;
      deadLettered -= ahead.deadLettered;
    }
    return {
      serial: this.serial + 1,
      next,
      accepted: this.accepted,
      committed,
      deadLettered,
      lost: this.lost,
      lossUnknown: this.lossUnknown,
      newestTime: this.newest,
      settledSegments,
      replayUntil: 0,
    };
  }

  /** The record is on disk. */
  written({ serial }: LedgerRecord): void {
    this.serial = serial;
  }

  private missing(unsettled: number): number {
    return this.accepted - this.committed - this.deadLettered - this.lost - unsettled;
  }
}
