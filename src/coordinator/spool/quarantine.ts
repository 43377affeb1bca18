import type { SegmentStore } from './segment.store.js';
import type { Segment } from './segment.js';
import type { SpoolObserver } from './spool.options.js';

/** A damaged record, or bytes among which there is one. */
export interface Damaged {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
  /** Undefined when the record's header is damaged too. */
  readonly rows: number | undefined;
  /** The sequence number handed out before it. */
  readonly after: number;
}

/** Puts damaged records aside. The checkpoint does not pass one before that is done. */
export class Quarantine {
  /** Not put aside yet. */
  private readonly pending: Damaged[] = [];

  constructor(
    private readonly store: SegmentStore,
    private readonly observer: SpoolObserver,
    /** Damaged pieces found since the start. */
    public count: number,
  ) {}

  /** The checkpoint may not be above it. */
  get holdsAt(): number {
    // Not the first: what was read late lies before what was found damaged meanwhile.
    return this.pending.reduce((least, { after }) => Math.min(least, after + 1), Infinity);
  }

  /** A full disk must not stop the reader, which makes room: what cannot be put aside now stays where it is. */
  async add(damaged: Damaged): Promise<void> {
    this.pending.push(damaged);
    damaged.segment.hold();
    await this.putAside(damaged);
  }

  async retry(): Promise<void> {
    for (const damaged of [...this.pending]) await this.putAside(damaged);
  }

  private async putAside(damaged: Damaged): Promise<void> {
    const { segment, offset, length, rows } = damaged;
    try {
      const path = await this.store.quarantine(segment, offset, length);
      const index = this.pending.indexOf(damaged);
      // Two tries may run at once.
      if (index < 0) return;
      this.pending.splice(index, 1);
      segment.release();
      this.count++;
      this.observer.onQuarantine?.(path, length, rows);
    } catch (error) {
      this.observer.onRetry?.('putting a damaged record aside', error);
    }
  }
}
