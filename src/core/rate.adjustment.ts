import { IsIn, IsString, Max, Min } from 'class-validator';

import { BACKPRESSURE_LEVELS, type BackpressureLevel } from './backpressure.level.js';
import { IsEpochSeconds, IsFiniteNumber } from './contract.decorators.js';

/** Core v1.1.0 `RateAdjustment`: at which share of its rate a provider may send. Made by `parseContract`; immutable. */
export class RateAdjustment {
  @IsString()
  readonly provider!: string;

  /** From 0, which pauses, to 1, the full rate. */
  @IsFiniteNumber('0 pauses, 1 is the full rate')
  @Min(0)
  @Max(1)
  readonly scale!: number;

  /** The level that asked for it. */
  @IsIn(BACKPRESSURE_LEVELS)
  readonly reason!: BackpressureLevel;

  /** Unix epoch, seconds. */
  @IsEpochSeconds()
  readonly ts!: number;
}
