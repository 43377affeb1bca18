import { ApiPropertyOptional } from '@nestjs/swagger';

import { ChoiceParameter, CountParameter, TextParameter } from '../../http/query.decorators.js';
import { MAX_BARS } from './bars.query.js';
import { SeriesFilterQuery } from './series-filter.query.js';

/** Parameters of GET /v1/bars/latest. */
export class LatestBarsQuery extends SeriesFilterQuery {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MAX_BARS,
    default: 1000,
    description: 'Bars on a page.',
  })
  @CountParameter(MAX_BARS)
  limit?: number;

  @ApiPropertyOptional({ description: 'The `next_page_token` of the page before.' })
  @TextParameter()
  page_token?: string;

  @ApiPropertyOptional({
    enum: ['json', 'ndjson', 'csv'],
    description: 'Form of the answer; goes before the Accept header.',
  })
  @ChoiceParameter(['json', 'ndjson', 'csv'])
  format?: 'json' | 'ndjson' | 'csv';
}
