import { ApiProperty } from '@nestjs/swagger';
import { IsInt, IsNumber, Max, Min } from 'class-validator';

import { BACKPRESSURE_LEVELS, type BackpressureLevel } from '../core/backpressure.level.js';

const MOST_ROWS = 1_000_000_000;
const AN_HOUR_S = 3_600;

/** How fast a provider may send. */
export class ProviderRateDto {
  @ApiProperty({ example: 200_000, minimum: 0, maximum: MOST_ROWS, description: 'Rows per second.' })
  @IsNumber({}, { message: 'must be a number' })
  @Min(Number.MIN_VALUE, { message: 'must be above 0' })
  @Max(MOST_ROWS, { message: `must not be above ${MOST_ROWS}` })
  refill_rate!: number;

  @ApiProperty({ example: 400_000, minimum: 1, maximum: MOST_ROWS, description: 'Rows at once.' })
  @IsNumber({}, { message: 'must be a number' })
  @Min(1, { message: 'must be at least 1' })
  @Max(MOST_ROWS, { message: `must not be above ${MOST_ROWS}` })
  burst!: number;
}

/** Tokens asked for. */
export class AcquireDto {
  @ApiProperty({ example: 5_000, minimum: 1, maximum: MOST_ROWS, description: 'Rows to send.' })
  @IsInt({ message: 'must be a whole number' })
  @Min(1, { message: 'must be at least 1' })
  @Max(MOST_ROWS, { message: `must not be above ${MOST_ROWS}` })
  tokens!: number;
}

/** Tokens granted. */
export class AcquiredDto {
  @ApiProperty({ example: 5_000, description: 'Rows that may be sent now.' })
  granted!: number;

  @ApiProperty({
    type: Number,
    nullable: true,
    example: 395_000,
    description: 'Rows left; null when no rate is set.',
  })
  remaining!: number | null;
}

/** A pause asked for. */
export class CooldownDto {
  @ApiProperty({
    example: 30,
    minimum: 0,
    maximum: AN_HOUR_S,
    description: 'Seconds from now; 0 ends a cooldown.',
  })
  @IsNumber({}, { message: 'must be a number' })
  @Min(0, { message: 'must be at least 0' })
  @Max(AN_HOUR_S, { message: `must not be above ${AN_HOUR_S}` })
  seconds!: number;
}

/** A provider and its bucket. */
export class ProviderDto {
  @ApiProperty({ example: 'ibkr' })
  provider!: string;

  @ApiProperty({
    type: Number,
    nullable: true,
    example: 200_000,
    description:
      'Rows per second at full rate; null when none is set: then the scale is told and not enforced.',
  })
  refill_rate!: number | null;

  @ApiProperty({
    type: Number,
    nullable: true,
    example: 400_000,
    description: 'Rows at once; null without a rate.',
  })
  burst!: number | null;

  @ApiProperty({
    example: 1,
    minimum: 0,
    maximum: 1,
    description: 'Share of the full rate; 0 pauses, and asks a provider without a rate to pause.',
  })
  scale!: number;

  @ApiProperty({ enum: BACKPRESSURE_LEVELS, example: 'ok', description: 'The level that set the scale.' })
  pressure!: BackpressureLevel;

  @ApiProperty({
    type: Number,
    nullable: true,
    example: 400_000,
    description: 'Rows that may be sent now; null without a rate.',
  })
  tokens!: number | null;

  @ApiProperty({ enum: ['closed', 'open', 'half_open'], example: 'closed' })
  circuit_state!: string;

  @ApiProperty({
    type: Number,
    nullable: true,
    example: null,
    description: 'Unix epoch, seconds; null when there is none.',
  })
  cooldown_until!: number | null;
}

/** The providers. */
export class ProviderListDto {
  @ApiProperty({ type: [ProviderDto] })
  providers!: ProviderDto[];
}

/** Core v1.1.0 RateAdjustment. */
export class RateAdjustmentDto {
  @ApiProperty({ example: 'ibkr' })
  provider!: string;

  @ApiProperty({ example: 0.5, minimum: 0, maximum: 1, description: '0 pauses, 1 is the full rate.' })
  scale!: number;

  @ApiProperty({ enum: BACKPRESSURE_LEVELS, example: 'soft' })
  reason!: BackpressureLevel;

  @ApiProperty({ example: 1760659200.25, description: 'Unix epoch, seconds.' })
  ts!: number;
}

/** That an adjustment was taken. */
export class AdjustmentAcceptedDto {
  @ApiProperty({ example: 'accepted' })
  status!: 'accepted';
}
