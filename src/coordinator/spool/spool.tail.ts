import { RingDeque } from '../ring.deque.js';

/** The newest entries of the spool, in order, as far as a bound in bytes allows. */
export class SpoolTail<V extends { readonly bytes: number; readonly rows: number }> {
  private readonly entries = new RingDeque<V>();
  private bytes = 0;
  private rowSum = 0;

  constructor(private readonly maxBytes: number) {}

  /** False, and nothing was taken, when there is no room; an empty tail takes anything. */
  push(entry: V): boolean {
    if (this.entries.length > 0 && this.bytes + entry.bytes > this.maxBytes) return false;
    this.entries.push(entry);
    this.bytes += entry.bytes;
    this.rowSum += entry.rows;
    return true;
  }

  /** Removes and returns the oldest. */
  shift(): V | undefined {
    const entry = this.entries.shift();
    if (entry) {
      this.bytes -= entry.bytes;
      this.rowSum -= entry.rows;
    }
    return entry;
  }

  /** Rows of all entries. */
  get rows(): number {
    return this.rowSum;
  }

  /** The oldest. */
  peek(): V | undefined {
    return this.entries.peek();
  }
}
