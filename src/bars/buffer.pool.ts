/** A smaller one costs little to collect, bytes. */
const LEAST_BYTES = 32_768;

/**
 * Buffers that are used again. A buffer that lives for a while can be freed by a full garbage collection only, and V8
 * begins one for every 64 MiB of them: memory that is given back costs neither.
 */
export class BufferPool {
  /** Given back, the oldest first. */
  private readonly free: Buffer[] = [];
  private freeBytes = 0;
  /** Those that are out: what is not in here is not the pool's, or was given back already. */
  private readonly lent = new WeakSet<Buffer>();

  /** @param maxBytes most that is kept for later */
  constructor(private readonly maxBytes: number) {}

  /** A buffer of these bytes; it may be given back when nobody will look at it again, or left to be collected. */
  copyOf(bytes: Buffer): Buffer {
    if (bytes.length < LEAST_BYTES) return Buffer.from(bytes);
    const room = this.takeFree(bytes.length) ?? Buffer.allocUnsafeSlow(bytes.length);
    bytes.copy(room);
    const copy = room.subarray(0, bytes.length);
    this.lent.add(copy);
    return copy;
  }

  /** Takes back what `copyOf` gave; anything else is left alone. */
  giveBack(copy: Buffer): void {
    if (!this.lent.delete(copy)) return;
    const room = Buffer.from(copy.buffer);
    this.free.push(room);
    this.freeBytes += room.length;
    while (this.freeBytes > this.maxBytes) this.freeBytes -= this.free.shift()?.length ?? 0;
  }

  /** The latest that is large enough and not much larger: memory that waits is counted by what is in it. */
  private takeFree(bytes: number): Buffer | undefined {
    const at = this.free.findLastIndex(({ length }) => length >= bytes && 0.75 * length <= bytes);
    if (at === -1) return undefined;
    const [room] = this.free.splice(at, 1);
    this.freeBytes -= room?.length ?? 0;
    return room;
  }
}
