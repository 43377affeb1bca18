import type { BackpressureLevel } from '../core/backpressure.level.js';

/** Why a queue's level changed. */
export type LevelReason = 'soft_watermark' | 'high_watermark' | 'queue_recovered';

const REASONS: Record<BackpressureLevel, LevelReason> = {
  ok: 'queue_recovered',
  soft: 'soft_watermark',
  hard: 'high_watermark',
};

/** Turns a size into a level, with hysteresis: `hard` lasts until the size is at or below the low watermark. */
export class Watermarks {
  private current: BackpressureLevel = 'ok';

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
  }

  /** The level of the last size given to `update`. */
  get level(): BackpressureLevel {
    return this.current;
  }

  /** Takes the present size in rows; the reason when that crosses into another level, else undefined. */
  update(size: number): LevelReason | undefined {
    const next = this.next(size);
    if (next === this.current) return undefined;
    this.current = next;
    return REASONS[next];
  }

  private next(size: number): BackpressureLevel {
    if (size >= this.high) return 'hard';
    if (size <= this.low) return 'ok';
    return this.current === 'hard' ? 'hard' : 'soft';
  }
}
