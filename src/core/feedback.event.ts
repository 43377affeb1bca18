import { IsIn, IsInt, IsPositive, IsString, Min } from 'class-validator';

import { BACKPRESSURE_LEVELS, type BackpressureLevel } from './backpressure.level.js';
import { IsEpochSeconds } from './contract.decorators.js';

/** Core v1.1.0 `FeedbackEvent`: how full a coordinator's queue is. Made by `parseContract`; immutable. */
export class FeedbackEvent {
  @IsString()
  readonly coordinator_id!: string;

  /** Rows held, at least 0. */
  @IsInt()
  @Min(0)
  readonly queue_size!: number;

  /** Rows that fit, above 0. */
  @IsInt()
  @IsPositive()
  readonly capacity!: number;

  @IsIn(BACKPRESSURE_LEVELS)
  readonly level!: BackpressureLevel;

  /** What kind of service sends it. */
  @IsString()
  readonly source: string = 'store';

  /** Unix epoch, seconds. */
  @IsEpochSeconds()
  readonly ts!: number;
}
