import type { Segment } from './segment.js';

const SECOND = 1_000;
const MICROS_PER_SECOND = 1_000_000;

interface Record {
  readonly rows: number;
  /** Time of receipt: Unix epoch, microseconds. */
  readonly time: number;
  readonly segment: Segment;
}

/** Which records have not been settled, and how far all have. Records are handed out in order of sequence. */
export class UnsettledRecords {
  /** Handed out and not settled, in order of sequence. */
  private readonly open = new Map<number, Record>();
  /** Time of receipt of the newest record handed out; those on disk only are hardly older. */
  private lastTime: number | undefined;
  /** Rows that nobody knew of at the start. */
  found = 0;

  constructor(
    /** Rows that are not settled, whether handed out or not. */
    public rows: number,
    /** The last sequence number handed out. */
    public lastHandedOut: number,
    oldestTime: number | undefined,
  ) {
    this.lastTime = oldestTime;
  }

  /** All records below it are settled. */
  get settledBelow(): number {
    const [oldest = this.lastHandedOut + 1] = this.open.keys();
    return oldest;
  }

  /** True when nothing in the segment must be read again. */
  covers({ last, open }: Segment): boolean {
    return open === 0 && last <= this.lastHandedOut;
  }

  handOut(sequence: number, record: Record): void {
    this.open.set(sequence, record);
    record.segment.open++;
    this.lastTime = record.time;
    this.lastHandedOut = sequence;
  }

  /** Rows turned up in a segment that could not be read at the start. */
  find(rows: number): void {
    this.rows += rows;
    this.found += rows;
  }

  /** Nothing up to this number is left to hand out. */
  passOver(sequence: number): void {
    this.lastHandedOut = Math.max(this.lastHandedOut, sequence);
  }

  settle(sequence: number): void {
    const record = this.open.get(sequence);
    if (!record) return;
    this.open.delete(sequence);
    record.segment.open--;
    this.rows -= record.rows;
  }

  /** To be called when everything has been handed out: rows of records that could not be read are known only now. */
  recount(): void {
    this.rows = 0;
    for (const { rows } of this.open.values()) this.rows += rows;
  }

  /** Age of the oldest record that is not settled; `waitingSince` is the time of receipt of the first that waits. */
  oldestAgeSeconds(waitingSince: number | undefined): number {
    if (this.rows === 0) return 0;
    const [oldest] = this.open.values();
    const time = oldest?.time ?? waitingSince ?? this.lastTime;
    return time === undefined ? 0 : Math.max(0, Date.now() / SECOND - time / MICROS_PER_SECOND);
  }
}
