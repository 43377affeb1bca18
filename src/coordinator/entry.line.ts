import { RingDeque } from './ring.deque.js';
import type { Entry } from './sink.js';

/** An accepted entry; its weight is kept apart, so that the accounts hold even if the entry is changed. */
interface Slot<T> {
  readonly entry: T;
  readonly rows: number;
  readonly flush: boolean;
  readonly arrivedAt: number;
}

/** Entries in order of arrival, with the sums that a queue asks for all the time. */
export class EntryLine<T extends Entry> {
  private readonly slots = new RingDeque<Slot<T>>();
  private rowSum = 0;
  private flushes = 0;

  /** Entries in the line. */
  get length(): number {
    return this.slots.length;
  }

  /** Rows in the line. */
  get rows(): number {
    return this.rowSum;
  }

  /** True while an entry is in the line that somebody waits for. */
  get urgent(): boolean {
    return this.flushes > 0;
  }

  /** When the oldest entry arrived, in milliseconds of performance.now; undefined when the line is empty. */
  get oldestAt(): number | undefined {
    return this.slots.peek()?.arrivedAt;
  }

  /** When the newest entry arrived, in the same way. */
  get newestAt(): number | undefined {
    return this.slots.peekLast()?.arrivedAt;
  }

  /** Adds an entry at the end. */
  push(entry: T, rows: number, flush: boolean): void {
    this.slots.push({ entry, rows, flush, arrivedAt: performance.now() });
    this.rowSum += rows;
    if (flush) this.flushes++;
  }

  /** Removes the oldest entries, whole: at least one if there is any, and else no more than `maxRows` rows. */
  take(maxRows: number): T[] {
    const entries: T[] = [];
    let rows = 0;
    for (let slot = this.slots.peek(); slot; slot = this.slots.peek()) {
      if (entries.length > 0 && rows + slot.rows > maxRows) break;
      this.slots.shift();
      rows += slot.rows;
      if (slot.flush) this.flushes--;
      entries.push(slot.entry);
    }
    this.rowSum -= rows;
    return entries;
  }
}
