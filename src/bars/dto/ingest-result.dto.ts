import { ApiProperty, ApiSchema } from '@nestjs/swagger';

import { BACKPRESSURE_LEVELS, type BackpressureLevel } from '../../core/backpressure.level.js';
import { ROW_ERROR_CODES, type RowErrorCode } from '../decode/row-error.codes.js';
import type { IngestResult } from '../ingest/ingest.service.js';
import type { WriteCounts } from '../write.counts.js';

/** Why one row was refused. */
@ApiSchema({ name: 'RowError' })
export class RowErrorDto {
  @ApiProperty({
    type: 'integer',
    minimum: 1,
    example: 3,
    description: 'From 1: data row in CSV, line in NDJSON, element in JSON.',
  })
  line!: number;

  @ApiProperty({ example: '/close', description: 'JSON pointer into the row; empty for the row itself.' })
  pointer!: string;

  @ApiProperty({
    enum: Object.keys(ROW_ERROR_CODES),
    example: 'not-finite',
    description: 'Stable; for programs.',
  })
  code!: RowErrorCode;

  @ApiProperty({ example: 'close is larger than a 64-bit floating point number can hold' })
  detail!: string;
}

/** The queue, as an answer tells it. */
@ApiSchema({ name: 'Queue' })
export class QueueDto {
  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description: 'Bars accepted that are to be written.',
  })
  size!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 500000,
    description: 'Bars held in memory at most; more wait on disk.',
  })
  capacity!: number;

  @ApiProperty({ type: 'number', example: 0, description: 'size / capacity.' })
  utilization!: number;

  @ApiProperty({ enum: BACKPRESSURE_LEVELS, example: 'ok' })
  level!: BackpressureLevel;
}

/** The bars of a request that are safe. */
@ApiSchema({ name: 'IngestResult' })
export class IngestResultDto {
  @ApiProperty({ format: 'uuid', example: '6f7b0e0c-6f2e-4f3a-9c39-0a8f4d7d5a10' })
  batch_id!: string;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 500,
    description: 'Bars taken; with ack=stored they are inserted + updated + unchanged + superseded.',
  })
  accepted!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description: 'Bad bars left out with on_error=skip.',
  })
  rejected!: number;

  @ApiProperty({ type: [RowErrorDto], example: [], description: 'The first 100 bad bars.' })
  errors!: readonly RowErrorDto[];

  @ApiProperty({ example: false, description: 'Whether there were more bad bars than `errors` tells of.' })
  errors_truncated!: boolean;

  @ApiProperty({
    type: [String],
    example: [],
    description:
      'Names of fields or columns of the body that no bar has; nothing is stored of them. The first 20.',
  })
  ignored_fields!: readonly string[];

  @ApiProperty({ example: false, description: 'Whether there were more than `ignored_fields` tells of.' })
  ignored_fields_truncated!: boolean;

  @ApiProperty({ type: QueueDto })
  queue!: QueueDto;

  /** The result as the JSON text that is answered, made in place: JSON.stringify takes several times as long. */
  static textOf(result: IngestResult): string {
    return `{${membersOf(result)}}`;
  }
}

function membersOf(result: IngestResult): string {
  const { batchId, accepted, rejected, errors, errorsTruncated, ignoredFields, ignoredFieldsTruncated } =
    result;
  const { queueSize, capacity, utilization, level } = result.queue;
  const ignoredText = ignoredFields.length === 0 ? '[]' : JSON.stringify(ignoredFields);
  const errorsText = errors.length === 0 ? '[]' : JSON.stringify(errors);
  return `"batch_id":"${batchId}","accepted":${accepted},"rejected":${rejected},"errors":${errorsText},"errors_truncated":${errorsTruncated},"ignored_fields":${ignoredText},"ignored_fields_truncated":${ignoredFieldsTruncated},"queue":{"size":${queueSize},"capacity":${capacity},"utilization":${utilization},"level":"${level}"}`;
}

/** What became of the bars of a request that waited for their commit. */
@ApiSchema({ name: 'StoredResult' })
export class StoredResultDto extends IngestResultDto {
  @ApiProperty({ type: 'integer', minimum: 0, example: 500, description: 'Bars that were not there before.' })
  inserted!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description: 'Stored bars whose values were replaced.',
  })
  updated!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description: 'Bars that changed nothing, and whose values are those that are stored now.',
  })
  unchanged!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description:
      'Bars whose values are not those that are stored now: a version received later, another line of the body, or a bar that on_conflict=keep left as it is, won.',
  })
  superseded!: number;

  /** The result as the JSON text that is answered after the commit. */
  static storedTextOf(
    result: IngestResult,
    { inserted, updated, unchanged, superseded }: WriteCounts,
  ): string {
    return `{${membersOf(result)},"inserted":${inserted},"updated":${updated},"unchanged":${unchanged},"superseded":${superseded}}`;
  }
}
