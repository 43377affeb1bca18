import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';

import { NextPageToken } from './page.decorators.js';

/** A series and the extent of its bars. */
@ApiSchema({ name: 'Series' })
export class SeriesDto {
  @ApiProperty({
    type: 'integer',
    minimum: 1,
    example: 7,
    description: '`series_id` of its bars in the database; not the same in another database.',
  })
  id!: number;

  @ApiProperty({ example: 'ibkr' })
  provider!: string;

  @ApiProperty({ example: 'AAPL' })
  symbol!: string;

  @ApiProperty({ example: '1d' })
  interval!: string;

  @ApiProperty({
    format: 'date-time',
    example: '1980-12-12T00:00:00Z',
    description: 'Start of the first bar.',
  })
  first_ts!: string;

  @ApiProperty({
    format: 'date-time',
    example: '2026-01-02T00:00:00Z',
    description: 'Start of the last bar.',
  })
  last_ts!: string;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    example: 11352,
    description: 'Bars stored; with `rows=true` only.',
  })
  rows?: number;
}

/** A page of series. */
@ApiSchema({ name: 'SeriesPage' })
export class SeriesPageDto {
  @ApiProperty({ type: [SeriesDto] })
  series!: SeriesDto[];

  @NextPageToken()
  next_page_token!: string | null;
}

/** A page of one series. */
export const SERIES_PAGE_EXAMPLE = {
  series: [
    {
      id: 7,
      provider: 'ibkr',
      symbol: 'AAPL',
      interval: '1d',
      first_ts: '1980-12-12T00:00:00Z',
      last_ts: '2026-01-02T00:00:00Z',
    },
  ],
  next_page_token: null,
};
