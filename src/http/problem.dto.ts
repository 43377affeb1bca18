import { ApiProperty } from '@nestjs/swagger';

import { PROBLEMS, type ProblemCode } from './problem.catalogue.js';

/** RFC 9457 problem details, as every refusal is answered. */
export class ProblemDto {
  @ApiProperty({ example: 'urn:market-data-store:problem:invalid-bars' })
  type!: string;

  @ApiProperty({ example: 'Some bars are not valid' })
  title!: string;

  @ApiProperty({ example: 422 })
  status!: number;

  @ApiProperty({ example: 'Nothing was stored; see `errors` for each bad bar.' })
  detail!: string;

  @ApiProperty({ example: '/v1/bars', description: 'The path that was asked.' })
  instance!: string;

  @ApiProperty({ enum: Object.keys(PROBLEMS), example: 'invalid-bars', description: 'Stable; for programs.' })
  code!: string;

  @ApiProperty({
    example: '0d6e3c9e-31f5-4d6f-9d2e-6f0a2f2d9c57',
    description: 'Finds the request in the log.',
  })
  request_id!: string;

  @ApiProperty({
    required: false,
    type: 'array',
    items: { type: 'object', additionalProperties: true },
    description: 'What is wrong in detail: bad rows of a body, or bad parameters.',
  })
  errors?: Record<string, unknown>[];

  /** A document with this code. */
  static example(code: ProblemCode): Omit<ProblemDto, 'errors'> {
    const { status, title } = PROBLEMS[code];
    return {
      type: `urn:market-data-store:problem:${code}`,
      title,
      status,
      detail: `${title}.`,
      instance: '/v1/bars',
      code,
      request_id: '0d6e3c9e-31f5-4d6f-9d2e-6f0a2f2d9c57',
    };
  }
}
