import { ApiProperty } from '@nestjs/swagger';

import { BACKPRESSURE_LEVELS, type BackpressureLevel } from '../core/backpressure.level.js';
import { MOST_NAME_CHARACTERS } from './feedback/store.feedback.event.js';

/** Core v1.1.0 FeedbackEvent, and what this store adds to it. */
export class FeedbackEventDto {
  @ApiProperty({ example: 'bars-store-0', maxLength: MOST_NAME_CHARACTERS })
  coordinator_id!: string;

  @ApiProperty({ example: 850, minimum: 0, type: 'integer', description: 'Rows held.' })
  queue_size!: number;

  @ApiProperty({ example: 1000, minimum: 1, type: 'integer', description: 'Rows that fit.' })
  capacity!: number;

  @ApiProperty({ enum: BACKPRESSURE_LEVELS, example: 'soft' })
  level!: BackpressureLevel;

  @ApiProperty({ example: 'store', default: 'store', required: false, maxLength: MOST_NAME_CHARACTERS })
  source!: string;

  @ApiProperty({ example: 1760659200.25, description: 'Unix epoch, seconds; at most 5 s ahead.' })
  ts!: number;

  @ApiProperty({
    type: String,
    required: false,
    nullable: true,
    maxLength: MOST_NAME_CHARACTERS,
    example: 'soft_watermark',
    description: 'Why.',
  })
  reason?: string | null;
}

/** An event as it is answered. */
export class FeedbackMessageDto extends FeedbackEventDto {
  @ApiProperty({ example: 0.85, description: 'queue_size / capacity.' })
  utilization!: number;
}

/** The newest event of each coordinator. */
export class FeedbackListDto {
  @ApiProperty({ type: [FeedbackMessageDto] })
  events!: FeedbackMessageDto[];
}

/** That something was taken. */
export class AcceptedDto {
  @ApiProperty({ example: 'accepted' })
  status!: 'accepted';
}
