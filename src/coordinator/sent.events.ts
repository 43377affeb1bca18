/** An event as it is sent. */
export interface SentEvent {
  /** Counted from 1. */
  readonly number: number;
  /** The provider that it is about; undefined when it concerns everybody. */
  readonly provider: string | undefined;
  readonly bytes: Buffer;
}

/** What an event takes beside its bytes: objects, a key, a place in a map. */
const OVERHEAD_BYTES = 128;

/** The newest event of each key, up to a number and a size; beyond these the one goes that was put first. */
export class SentEvents<Key> {
  private readonly events = new Map<Key, SentEvent>();
  private readonly maxEvents: number;
  private readonly maxBytes: number;
  private bytes = 0;

  /** `maxBytes` counts 128 bytes for each event beside its own. */
  constructor({ maxEvents = Infinity, maxBytes }: { maxEvents?: number; maxBytes: number }) {
    this.maxEvents = maxEvents;
    this.maxBytes = maxBytes;
  }

  /** Events kept. */
  get size(): number {
    return this.events.size;
  }

  /** The event of the key, if it is kept. */
  get(key: Key): SentEvent | undefined {
    return this.events.get(key);
  }

  /** All of them, the one put last at the end. */
  values(): Iterable<SentEvent> {
    return this.events.values();
  }

  /** Keeps an event, in place of an earlier one of its key. */
  put(key: Key, event: SentEvent): void {
    this.delete(key);
    this.events.set(key, event);
    this.bytes += costOf(event);
    for (const oldest of this.events.keys()) {
      if (this.events.size <= this.maxEvents && this.bytes <= this.maxBytes) break;
      this.delete(oldest);
    }
  }

  /** Forgets the event of a key. */
  delete(key: Key): void {
    const event = this.events.get(key);
    if (event === undefined) return;
    this.events.delete(key);
    this.bytes -= costOf(event);
  }
}

function costOf({ bytes }: SentEvent): number {
  return bytes.length + OVERHEAD_BYTES;
}
