import { ApiProperty, ApiSchema } from '@nestjs/swagger';

import { PROBLEMS, type ProblemCode } from './problem.catalogue.js';

/** One thing that is wrong with a request. */
@ApiSchema({ name: 'ProblemError', description: 'A bad row of a body, or a bad query parameter.' })
export class ProblemErrorDto {
  @ApiProperty({ example: 'close is larger than a 64-bit floating point number can hold' })
  detail!: string;

  @ApiProperty({ required: false, example: 'not-finite', description: 'Of a row: stable; for programs.' })
  code?: string;

  @ApiProperty({
    required: false,
    type: 'integer',
    minimum: 1,
    example: 3,
    description: 'Of a row, from 1: data row in CSV, line in NDJSON, element in JSON.',
  })
  line?: number;

  @ApiProperty({ required: false, example: '/close', description: 'Of a row: JSON pointer into it.' })
  pointer?: string;

  @ApiProperty({ required: false, example: 'limit', description: 'Of a query parameter: its name.' })
  parameter?: string;
}

/** RFC 9457 problem details, as every refusal is answered. */
@ApiSchema({ name: 'Problem', description: 'RFC 9457 problem details, as every refusal is answered.' })
export class ProblemDto {
  @ApiProperty({ example: 'urn:market-data-store:problem:invalid-bars' })
  type!: string;

  @ApiProperty({ example: 'Some bars are not valid' })
  title!: string;

  @ApiProperty({ type: 'integer', example: 422 })
  status!: number;

  @ApiProperty({ example: 'Nothing was stored; see `errors` for each bad bar.' })
  detail!: string;

  @ApiProperty({
    example: '/v1/bars',
    description: 'The path that was asked; the request id as a URN where none could be read.',
  })
  instance!: string;

  @ApiProperty({ enum: Object.keys(PROBLEMS), example: 'invalid-bars', description: 'Stable; for programs.' })
  code!: ProblemCode;

  @ApiProperty({
    example: '0d6e3c9e-31f5-4d6f-9d2e-6f0a2f2d9c57',
    description: 'Finds the request in the log.',
  })
  request_id!: string;

  @ApiProperty({
    required: false,
    type: [ProblemErrorDto],
    description: 'What is wrong in detail: the first 100 bad rows of a body, or the bad parameters.',
  })
  errors?: ProblemErrorDto[];

  @ApiProperty({ required: false, type: 'integer', example: 1, description: 'Bad rows seen.' })
  rejected?: number;

  @ApiProperty({
    required: false,
    example: false,
    description: 'Whether there were more bad rows than `errors` tells of.',
  })
  errors_truncated?: boolean;

  @ApiProperty({
    required: false,
    type: [String],
    description: 'Names of fields or columns of a body that no bar has, the first 20 that were read.',
  })
  ignored_fields?: string[];

  @ApiProperty({ required: false, description: 'Whether there were more than `ignored_fields` tells of.' })
  ignored_fields_truncated?: boolean;

  /** A document with this code. */
  static example(code: ProblemCode): ProblemDto {
    const { status, title } = PROBLEMS[code];
    return {
      type: `urn:market-data-store:problem:${code}`,
      title,
      status,
      detail: `${title}.`,
      instance: '/v1/bars',
      code,
      request_id: '0d6e3c9e-31f5-4d6f-9d2e-6f0a2f2d9c57',
      ...FURTHER_MEMBERS[code],
    };
  }
}

/** What some problems carry besides. */
const FURTHER_MEMBERS: Partial<Record<ProblemCode, Partial<ProblemDto>>> = {
  'invalid-bars': {
    rejected: 1,
    errors: [
      {
        line: 3,
        pointer: '/close',
        code: 'not-finite',
        detail: 'close is larger than a 64-bit floating point number can hold',
      },
    ],
    errors_truncated: false,
    ignored_fields: [],
    ignored_fields_truncated: false,
  },
  'invalid-parameter': {
    errors: [{ parameter: 'limit', detail: 'must be a whole number from 1 to 10000' }],
  },
};
