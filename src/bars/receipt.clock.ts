const MICROS_PER_MS = 1_000;

/**
 * Gives each batch its time of receipt: Unix epoch microseconds, strictly ascending within the process. To the
 * microsecond and not the millisecond, because replicas do not know of each other's times and must rarely share one.
 */
export class ReceiptClock {
  private last = 0;

  next(): number {
    // Date.now() follows corrections of the clock; performance.now() only adds what is finer than a millisecond.
    const fraction = Math.floor((performance.now() % 1) * MICROS_PER_MS);
    this.last = Math.max(Date.now() * MICROS_PER_MS + fraction, this.last + 1);
    return this.last;
  }
}
