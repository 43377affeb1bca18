import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

import { ChoiceParameter, TextParameter } from '../../http/query.decorators.js';

const FORMATS = ['json', 'ndjson', 'csv'];

/** The parameter `page_token`: where the page before ended. */
export const PageTokenParameter = (): PropertyDecorator =>
  applyDecorators(
    ApiPropertyOptional({ description: 'The `next_page_token` of the page before.' }),
    TextParameter(),
  );

/** The parameter `format` of an answer with bars. */
export const FormatParameter = (): PropertyDecorator =>
  applyDecorators(
    ApiPropertyOptional({
      enum: FORMATS,
      description: 'Form of the answer; goes before the Accept header.',
    }),
    ChoiceParameter(FORMATS),
  );

/** The member `next_page_token` of a page. */
export const NextPageToken = (): PropertyDecorator =>
  ApiProperty({
    type: String,
    nullable: true,
    description: 'Pass as `page_token` for the next page; null on the last.',
    example: null,
  });
