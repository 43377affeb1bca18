import type { RecordHeader } from './spool.record.js';
import type { Segment } from './segment.js';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

/** Bytes of a segment that the disk does not read now. */
export interface UnreadRange {
  readonly segment: Segment;
  readonly offset: number;
  /** Where they end; Infinity when the segment cannot be opened. */
  readonly end: number;
  /** The sequence number handed out before them: the checkpoint does not pass it. */
  readonly after: number;
  /** The record's, when the bytes are one record whose header could be read. */
  readonly header: RecordHeader | undefined;
  readonly error: unknown;
}

interface Waiting {
  readonly range: UnreadRange;
  readonly pauseMs: number;
  readonly dueAt: number;
}

/**
 * What the disk does not read now. Each place is tried for as long as it fails, with growing pauses; until it was read
 * it holds its segment, and the checkpoint.
 */
export class UnreadRanges {
  private readonly waiting = new Map<UnreadRange, Waiting>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    /** Called when a place is to be tried again. */
    private readonly onDue: () => void,
  ) {}

  /** Places that were not read yet. */
  get size(): number {
    return this.waiting.size;
  }

  /** The checkpoint may not be above it. */
  get holdsAt(): number {
    let least = Infinity;
    for (const { after } of this.waiting.keys()) least = Math.min(least, after + 1);
    return least;
  }

  /** Why the place that was found last is not read. */
  get error(): unknown {
    let error: unknown;
    for (const range of this.waiting.keys()) error = range.error;
    return error;
  }

  /** Rows of records whose headers could be read, as far as their segments were counted at the start. */
  get knownRows(): number {
    let rows = 0;
    for (const { header, segment } of this.waiting.keys()) if (segment.counted) rows += header?.rows ?? 0;
    return rows;
  }

  /** True when it is not known how many rows lie in them. */
  get haveUnknownRows(): boolean {
    for (const { header, segment } of this.waiting.keys())
      if (header === undefined || !segment.counted) return true;
    return false;
  }

  /** True when rows may lie in them that were not counted at the start. */
  get haveUncountedRows(): boolean {
    for (const { segment } of this.waiting.keys()) if (!segment.counted) return true;
    return false;
  }

  /** A place that is to be tried now. */
  get due(): UnreadRange | undefined {
    const now = performance.now();
    for (const { range, dueAt } of this.waiting.values()) if (dueAt <= now) return range;
    return undefined;
  }

  /**
   * A place is not read. `instead` of one that was tried: the pause grows, and is as long as the try took, in milliseconds:
   * a disk that fails after seconds must not keep the reader from all else.
   */
  add(range: UnreadRange, instead?: UnreadRange, tookMs = 0): void {
    const before = instead && this.waiting.get(instead);
    const grown = before ? Math.min(2 * before.pauseMs, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
    const pauseMs = Math.max(grown, tookMs);
    range.segment.hold();
    this.waiting.set(range, { range, pauseMs, dueAt: performance.now() + pauseMs });
    this.arm();
  }

  /** A place was read, or others stand for what is left of it. */
  remove(range: UnreadRange): void {
    if (!this.waiting.delete(range)) return;
    range.segment.release();
    this.arm();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private arm(): void {
    clearTimeout(this.timer);
    let next = Infinity;
    for (const { dueAt } of this.waiting.values()) next = Math.min(next, dueAt);
    if (next === Infinity) return;
    this.timer = setTimeout(() => this.tryNow(), Math.max(1, next - performance.now())).unref();
  }

  /** A timer may fire a little early. */
  private tryNow(): void {
    if (this.due) this.onDue();
    else this.arm();
  }
}
