import { ApiProperty } from '@nestjs/swagger';

import { BACKPRESSURE_LEVELS, type BackpressureLevel } from '../../core/backpressure.level.js';
import type { IngestResult } from '../ingest/ingest.service.js';

/** Why one row was refused. */
export class RowErrorDto {
  @ApiProperty({ example: 3, description: 'From 1: data row in CSV, line in NDJSON, element in JSON.' })
  line!: number;

  @ApiProperty({ example: '/close', description: 'JSON pointer into the row; empty for the row itself.' })
  pointer!: string;

  @ApiProperty({ example: 'not-finite' })
  code!: string;

  @ApiProperty({ example: 'close 1e400 is not a finite number' })
  detail!: string;
}

/** The queue, as an answer tells it. */
export class QueueDto {
  @ApiProperty({ example: 0, description: 'Bars queued or being written.' })
  size!: number;

  @ApiProperty({ example: 500000, description: 'Bars that fit.' })
  capacity!: number;

  @ApiProperty({ example: 0, description: 'size / capacity.' })
  utilization!: number;

  @ApiProperty({ enum: BACKPRESSURE_LEVELS, example: 'ok' })
  level!: BackpressureLevel;
}

/** What became of the bars of a request. */
export class IngestResultDto {
  @ApiProperty({ format: 'uuid', example: '6f7b0e0c-6f2e-4f3a-9c39-0a8f4d7d5a10' })
  batch_id!: string;

  @ApiProperty({ example: 500, description: 'Bars taken: inserted + updated + unchanged.' })
  accepted!: number;

  @ApiProperty({ example: 0, description: 'Bad bars left out with on_error=skip.' })
  rejected!: number;

  @ApiProperty({ type: [RowErrorDto], example: [], description: 'The first 100 bad bars.' })
  errors!: readonly RowErrorDto[];

  @ApiProperty({ example: false, description: 'Whether there were more bad bars than `errors` tells of.' })
  errors_truncated!: boolean;

  @ApiProperty({ type: QueueDto })
  queue!: QueueDto;

  @ApiProperty({ example: 500, description: 'Bars that were not there before.' })
  inserted!: number;

  @ApiProperty({ example: 0, description: 'Stored bars whose values were replaced.' })
  updated!: number;

  @ApiProperty({
    example: 0,
    description:
      'Bars that changed nothing: the same values, or older than what is stored, or repeated in the body.',
  })
  unchanged!: number;

  /** The result as it is answered. */
  static of(result: IngestResult): IngestResultDto {
    const { queueSize, capacity, utilization, level } = result.queue;
    return {
      batch_id: result.batchId,
      accepted: result.accepted,
      rejected: result.rejected,
      errors: result.errors,
      errors_truncated: result.errorsTruncated,
      queue: { size: queueSize, capacity, utilization, level },
      inserted: result.inserted,
      updated: result.updated,
      unchanged: result.unchanged,
    };
  }
}
