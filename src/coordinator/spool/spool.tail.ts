import { RingDeque } from '../ring.deque.js';

/** The newest entries of the spool, in order, as far as a bound in bytes allows. */
export class SpoolTail<V extends { readonly bytes: number }> {
  private readonly entries = new RingDeque<V>();
  private bytes = 0;

  constructor(private readonly maxBytes: number) {}

  /** False, and nothing was taken, when there is no room; an empty tail takes anything. */
  push(entry: V): boolean {
    if (this.entries.length > 0 && this.bytes + entry.bytes > this.maxBytes) return false;
    this.entries.push(entry);
    this.bytes += entry.bytes;
    return true;
  }

  /** Removes and returns the oldest. */
  shift(): V | undefined {
    const entry = this.entries.shift();
    if (entry) this.bytes -= entry.bytes;
    return entry;
  }

  /** The oldest. */
  peek(): V | undefined {
    return this.entries.peek();
  }
}
