import { ApiPropertyOptional } from '@nestjs/swagger';

import { CountParameter } from '../../http/query.decorators.js';
import { MAX_BARS } from './bars.query.js';
import { FormatParameter, PageTokenParameter } from './page.decorators.js';
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

  @PageTokenParameter()
  page_token?: string;

  @FormatParameter()
  format?: 'json' | 'ndjson' | 'csv';
}
