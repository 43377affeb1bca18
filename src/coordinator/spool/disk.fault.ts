import type { Checkpoint } from './checkpoint.js';
import type { SegmentRetention } from './segment.retention.js';
import type { SegmentStore } from './segment.store.js';
import { SpoolFullError, SpoolUnavailableError } from './spool.errors.js';
import type { SpoolOptions } from './spool.options.js';

const HEAL_MS = 1_000;
const NO_ROOM: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);

/** Why the disk takes no entries, and the trying until it does again. */
export class DiskFault {
  private reason: SpoolFullError | SpoolUnavailableError | undefined;
  private timer: NodeJS.Timeout | undefined;
  private healing: Promise<void> | undefined;
  private closed = false;

  constructor(
    private readonly options: SpoolOptions,
    private readonly store: SegmentStore,
    private readonly checkpoint: Checkpoint,
    private readonly retention: SegmentRetention,
    /** Bytes after which a new segment is begun. */
    private readonly segmentBytes: number,
    /** Told when the disk takes entries again. */
    private readonly onEnd: () => void,
  ) {}

  /** Undefined while the disk takes entries. */
  get current(): SpoolFullError | SpoolUnavailableError | undefined {
    return this.reason;
  }

  /** After a failed write or sync nobody knows what the disk holds: that segment takes nothing more, ever. */
  async begin(error: unknown): Promise<void> {
    this.reason = this.nameOf(error);
    this.options.observer?.onFault?.(this.reason);
    await this.store.seal({ cut: true });
    this.arm();
  }

  /** The error as those who append get it. */
  nameOf(error: unknown): SpoolFullError | SpoolUnavailableError {
    if (error instanceof SpoolFullError || error instanceof SpoolUnavailableError) return error;
    if (NO_ROOM.has((error as NodeJS.ErrnoException).code))
      return new SpoolFullError(this.store.bytes, this.options.maxBytes, error);
    return new SpoolUnavailableError('the spool cannot be written', error);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.healing;
  }

  private arm(): void {
    if (this.closed) return;
    this.timer = setTimeout(() => {
      this.healing = this.heal();
    }, this.options.healMs ?? HEAL_MS).unref();
  }

  private async heal(): Promise<void> {
    try {
      // Segments kept for replay are the first to make room for new entries.
      if (this.reason instanceof SpoolFullError) await this.retention.keepHouse(this.segmentBytes);
      await this.store.assertDirectory();
      await this.checkpoint.prepare();
      this.store.skipTo(this.checkpoint.next);
      await this.store.probe();
    } catch {
      await this.store.seal({ cut: true });
      this.arm();
      return;
    }
    this.reason = undefined;
    this.onEnd();
  }
}
