import { ApiProperty, ApiSchema } from '@nestjs/swagger';

/** A series and the extent of its bars. */
@ApiSchema({ name: 'Series' })
export class SeriesDto {
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

  @ApiProperty({ type: 'integer', minimum: 0, example: 11352, description: 'Bars stored.' })
  rows!: number;
}

/** A page of series. */
@ApiSchema({ name: 'SeriesPage' })
export class SeriesPageDto {
  @ApiProperty({ type: [SeriesDto] })
  series!: SeriesDto[];

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Pass as `page_token` for the next page; null on the last.',
    example: null,
  })
  next_page_token!: string | null;
}

/** A page of one series. */
export const SERIES_PAGE_EXAMPLE = {
  series: [
    {
      provider: 'ibkr',
      symbol: 'AAPL',
      interval: '1d',
      first_ts: '1980-12-12T00:00:00Z',
      last_ts: '2026-01-02T00:00:00Z',
      rows: 11352,
    },
  ],
  next_page_token: null,
};
