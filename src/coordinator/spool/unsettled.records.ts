import type { Segment, Settled } from './segment.js';

const SECOND = 1_000;
const MICROS_PER_SECOND = 1_000_000;

/** A record that was handed out and is not settled. */
interface HandedOut {
  readonly rows: number;
  /** Time of receipt: Unix epoch, microseconds. */
  readonly time: number;
  readonly segment: Segment;
  /** Where it begins in the segment. */
  readonly offset: number;
}

/** Which records have not been settled, and how far all have. Records are handed out in order of sequence. */
export class UnsettledRecords {
  /** Handed out and not settled, in order of sequence. */
  private readonly open = new Map<number, HandedOut>();
  /** Those of them that were handed out after later ones, because the disk did not read them in their turn. */
  private readonly late = new Map<number, HandedOut>();
  /** Time of receipt of the newest record handed out; those on disk only are hardly older. */
  private lastTime: number | undefined;
  private handedOutRows = 0;

  constructor(
    /** Rows that are not settled, whether handed out or not. */
    private unsettledRows: number,
    /** The last sequence number handed out in order. */
    private lastInOrder: number,
    oldestTime: number | undefined,
  ) {
    this.lastTime = oldestTime;
  }

  /** Rows that are not settled, whether handed out or not. */
  get rows(): number {
    return this.unsettledRows;
  }

  /** Rows that are not settled and were not handed out. */
  get waitingRows(): number {
    return this.unsettledRows - this.handedOutRows;
  }

  /** No record up to this number is left to be handed out in order. */
  get lastHandedOut(): number {
    return this.lastInOrder;
  }

  /** All records below it that were handed out are settled. */
  get settledBelow(): number {
    const [oldest = this.lastInOrder + 1] = this.open.keys();
    let least = oldest;
    for (const sequence of this.late.keys()) least = Math.min(least, sequence);
    return least;
  }

  /** True when nothing in the segment must be read again. */
  covers({ settledAt, held, last }: Segment): boolean {
    return settledAt !== undefined || (!held && last <= this.lastInOrder);
  }

  handOut(sequence: number, { rows, time, segment, offset }: HandedOut): void {
    // Not as it was given: that may hold the entry itself, which memory need not hold as long as the record is open.
    const record = { rows, time, segment, offset };
    this.open.set(sequence, record);
    this.note(record);
    this.lastInOrder = sequence;
  }

  /** The same for a record that could not be read in its turn. */
  handOutLate(sequence: number, record: HandedOut): void {
    this.late.set(sequence, record);
    this.note(record);
  }

  /** Where a record lies that was handed out and is not settled. */
  placeOf(sequence: number): Pick<HandedOut, 'segment' | 'offset'> | undefined {
    return this.open.get(sequence) ?? this.late.get(sequence);
  }

  /** Rows are durable, or turned up in a segment that could not be read at the start. */
  add(rows: number): void {
    this.unsettledRows += rows;
  }

  /** Rows turned out to be damaged. */
  drop(rows: number): void {
    this.unsettledRows -= rows;
  }

  /** Nothing up to this number is left to hand out in order. */
  passOver(sequence: number): void {
    this.lastInOrder = Math.max(this.lastInOrder, sequence);
  }

  /** @returns what became of the record's rows; undefined when it was not handed out, or is settled already */
  settle(sequence: number, deadLettered: number): Settled | undefined {
    const record = this.open.get(sequence) ?? this.late.get(sequence);
    if (!record) return undefined;
    if (!this.open.delete(sequence)) this.late.delete(sequence);
    const { rows, segment } = record;
    const outcome = { committed: rows - deadLettered, deadLettered };
    segment.settle(sequence, outcome);
    segment.release();
    this.unsettledRows -= rows;
    this.handedOutRows -= rows;
    return outcome;
  }

  /**
   * To be called when all that can be read has been handed out: what was counted at the start and never came is not
   * there. `elsewhere` are rows that are known to be there and cannot be handed out now.
   */
  recount(elsewhere: number): void {
    this.unsettledRows = this.handedOutRows + elsewhere;
  }

  /** Age of the oldest record that is not settled; `waitingSince` is the time of receipt of the first that waits. */
  oldestAgeSeconds(waitingSince: number | undefined): number {
    if (this.unsettledRows === 0) return 0;
    const [late] = this.late.values();
    const [oldest] = this.open.values();
    const time = late?.time ?? oldest?.time ?? waitingSince ?? this.lastTime;
    return time === undefined ? 0 : Math.max(0, Date.now() / SECOND - time / MICROS_PER_SECOND);
  }

  private note(record: HandedOut): void {
    record.segment.hold();
    this.handedOutRows += record.rows;
    this.lastTime = Math.max(this.lastTime ?? 0, record.time);
  }
}
