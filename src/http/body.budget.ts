/** Bounds the bytes of all bodies that are being taken in at once: each may be large, and none is in the queue yet. */
export class BodyBudget {
  private reserved = 0;

  /** @param limit bytes */
  constructor(private readonly limit: number) {}

  /** Reserves bytes; false when that would be more than the limit. A lone body always fits. */
  reserve(bytes: number): boolean {
    if (this.reserved > 0 && this.reserved + bytes > this.limit) return false;
    this.reserved += bytes;
    return true;
  }

  release(bytes: number): void {
    this.reserved -= bytes;
  }
}
