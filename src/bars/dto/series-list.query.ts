import { ApiPropertyOptional } from '@nestjs/swagger';

import { ChoiceParameter, CountParameter } from '../../http/query.decorators.js';
import { PageTokenParameter } from './page.decorators.js';
import { SeriesFilterQuery } from './series-filter.query.js';

/** Most series on one page. */
export const MAX_SERIES = 1_000;

/** Parameters of GET /v1/series. */
export class SeriesListQuery extends SeriesFilterQuery {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MAX_SERIES,
    default: 100,
    description: 'Series on a page.',
  })
  @CountParameter(MAX_SERIES)
  limit?: number;

  @PageTokenParameter()
  page_token?: string;

  @ApiPropertyOptional({
    enum: ['true', 'false'],
    default: 'false',
    description:
      'Whether to count the bars of each series. That reads all of them: ask for few series, or for a small page.',
  })
  @ChoiceParameter(['true', 'false'])
  rows?: 'true' | 'false';
}
