import type { BackpressureLevel } from '../core/backpressure.level.js';

/** Why a queue's level changed. */
export type LevelReason = 'soft_watermark' | 'high_watermark' | 'queue_recovered';

const REASONS: Record<BackpressureLevel, LevelReason> = {
  ok: 'queue_recovered',
  soft: 'soft_watermark',
  hard: 'high_watermark',
};

/** How far from the low watermark, as a share of the capacity, a recovered size must move before `soft` is said again. */
const MARGIN = 0.05;

/**
 * Turns a size into a level, with hysteresis: `hard` lasts until the size is at or below the low watermark, and after
 * `ok` a size that hovers there stays `ok` until it has left the watermark by a margin, up or down.
 */
export class Watermarks {
  private current: BackpressureLevel = 'ok';
  private readonly margin: number;
  /** Rows above which `ok` becomes `soft`: the low watermark, and a margin more for as long as the size hovers there. */
  private softAbove: number;

  /** Rows at or above which the level is `hard`. */
  readonly high: number;
  /** Rows at or below which the level is `ok`. */
  readonly low: number;

  /** All in rows; the defaults are 0.8 and 0.5 of the capacity. Throws a RangeError unless 0 <= low < high <= capacity. */
  constructor(capacity: number, high = Math.ceil(0.8 * capacity), low = Math.floor(0.5 * capacity)) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      throw new RangeError(`capacity must be a whole number of rows, at least 1, not ${capacity}`);
    }
    if (!(low >= 0 && low < high && high <= capacity)) {
      throw new RangeError(
        `watermarks must be 0 <= low < high <= capacity, not ${low}, ${high}, ${capacity}`,
      );
    }
    this.high = high;
    this.low = low;
    this.margin = Math.min(MARGIN * capacity, (high - low) / 2);
    this.softAbove = low;
  }

  /** The level of the last size given to `update`. */
  get level(): BackpressureLevel {
    return this.current;
  }

  /** Takes the present size in rows; the reason when that crosses into another level, else undefined. */
  update(size: number): LevelReason | undefined {
    const next = this.next(size);
    const recovered = next === 'ok' && this.current !== 'ok';
    if (size <= Math.max(0, this.low - this.margin)) this.softAbove = this.low;
    else if (recovered) this.softAbove = this.low + this.margin;
    if (next === this.current) return undefined;
    this.current = next;
    return REASONS[next];
  }

  private next(size: number): BackpressureLevel {
    if (size >= this.high) return 'hard';
    if (this.current === 'ok') return size > this.softAbove ? 'soft' : 'ok';
    return size <= this.low ? 'ok' : this.current;
  }
}
