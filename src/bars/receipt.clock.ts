const MICROS_PER_MS = 1_000;

/** Gives each batch its time of receipt: Unix epoch microseconds, strictly ascending within the process. */
export class ReceiptClock {
  private last = 0;

  next(): number {
    this.last = Math.max(Date.now() * MICROS_PER_MS, this.last + 1);
    return this.last;
  }
}
