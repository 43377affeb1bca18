import { ApiPropertyOptional } from '@nestjs/swagger';

import { ChoiceParameter, CountParameter } from '../../http/query.decorators.js';
import { FormatParameter, PageTokenParameter } from './page.decorators.js';
import { IntervalParameter, TimeParameter } from './query.decorators.js';
import { SeriesFilterQuery } from './series-filter.query.js';

/** Most bars on one page. */
export const MAX_BARS = 10_000;

const A_TIME = 'RFC 3339 with a zone, YYYY-MM-DD, or epoch seconds';

/** Parameters of GET /v1/bars. */
export class BarsQuery extends SeriesFilterQuery {
  @ApiPropertyOptional({ description: 'Another name of `interval`.' })
  @IntervalParameter()
  timeframe?: string;

  @ApiPropertyOptional({
    type: String,
    description: `First instant, inclusive: ${A_TIME}.`,
    example: '2026-01-01',
  })
  @TimeParameter()
  start?: number;

  @ApiPropertyOptional({
    type: String,
    description: `Last instant, exclusive: ${A_TIME}.`,
    example: '2026-02-01T00:00:00Z',
  })
  @TimeParameter()
  end?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MAX_BARS,
    description:
      'Bars on a page; 1000 for JSON when absent. CSV and NDJSON without it stream the whole range.',
  })
  @CountParameter(MAX_BARS)
  limit?: number;

  @PageTokenParameter()
  page_token?: string;

  @ApiPropertyOptional({
    enum: ['asc', 'desc'],
    default: 'asc',
    description: 'Direction of time within a symbol.',
  })
  @ChoiceParameter(['asc', 'desc'])
  sort?: 'asc' | 'desc';

  @FormatParameter()
  format?: 'json' | 'ndjson' | 'csv';
}
