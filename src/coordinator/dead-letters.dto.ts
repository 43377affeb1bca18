import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';

import { CountParameter, TextParameter } from '../http/query.decorators.js';
import type { DeadLetter } from './dead-letters/dead.letter.js';
import type { LetterTraits } from './durable.options.js';

/** Most records on one page, and rows shown of one record. */
export const MAX_DEAD_LETTERS = 1_000;

const MICROS_PER_MS = 1_000;

/** Parameters of GET /v1/dlq. */
export class DeadLetterListQuery {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MAX_DEAD_LETTERS,
    default: 100,
    description: 'Records on a page.',
  })
  @CountParameter(MAX_DEAD_LETTERS)
  limit?: number;

  @ApiPropertyOptional({ description: 'The `next_page_token` of the page before.' })
  @TextParameter()
  page_token?: string;
}

/** Rows that the database refused. */
@ApiSchema({ name: 'DeadLetter' })
export class DeadLetterDto {
  @ApiProperty({
    example: '1767312000250000-42-17',
    description: 'Time of receipt, number in the spool, first row.',
  })
  id!: string;

  @ApiProperty({ type: 'integer', minimum: 1, example: 1 })
  rows!: number;

  @ApiProperty({ example: 'sqlstate_23514', description: 'Why, as a stable name.' })
  reason!: string;

  @ApiProperty({ type: 'string', nullable: true, example: '23514', description: "PostgreSQL's SQLSTATE." })
  sqlstate!: string | null;

  @ApiProperty({ example: 'new row for relation "bars_2026" violates check constraint "close_is_sane"' })
  detail!: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-02T00:00:00.250Z' })
  received_at!: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-02T00:00:01.000Z' })
  refused_at!: string;

  @ApiPropertyOptional({
    enum: ['replace', 'keep'],
    example: 'replace',
    description: 'How its rows were sent, and are replayed. Absent when they cannot be understood.',
  })
  on_conflict?: 'replace' | 'keep';

  /** The letter as it is answered. */
  static of(letter: DeadLetter, traits: LetterTraits): DeadLetterDto {
    return {
      id: letter.id,
      rows: letter.rows,
      reason: letter.reason,
      sqlstate: letter.sqlstate ?? null,
      detail: letter.detail,
      received_at: new Date(letter.time / MICROS_PER_MS).toISOString(),
      refused_at: new Date(letter.refusedAt).toISOString(),
      ...traits,
    };
  }
}

/** One record with its rows. */
@ApiSchema({ name: 'DeadLetterContent' })
export class DeadLetterContentDto extends DeadLetterDto {
  @ApiProperty({
    type: 'array',
    items: { type: 'object', additionalProperties: true },
    description: 'The first 1,000 rows.',
  })
  content!: readonly object[];

  /** The letter and its rows as they are answered. */
  static with(letter: DeadLetter, traits: LetterTraits, content: readonly object[]): DeadLetterContentDto {
    return Object.assign(DeadLetterDto.of(letter, traits), { content });
  }
}

/** A page of records, oldest first. */
@ApiSchema({ name: 'DeadLetterPage' })
export class DeadLetterPageDto {
  @ApiProperty({ type: [DeadLetterDto] })
  records!: DeadLetterDto[];

  @ApiProperty({ type: 'string', nullable: true, example: null })
  next_page_token!: string | null;
}

/** What a replay gave to the spool once more. */
@ApiSchema({ name: 'Replayed' })
export class ReplayedDto {
  @ApiProperty({ type: 'integer', minimum: 0, example: 1, description: 'Records.' })
  replayed!: number;
}
