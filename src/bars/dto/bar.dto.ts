import { ApiProperty } from '@nestjs/swagger';

/** One bar. */
export class BarDto {
  @ApiProperty({ example: 'ibkr', pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'Who the bar comes from.' })
  provider!: string;

  @ApiProperty({
    example: 'AAPL',
    minLength: 1,
    maxLength: 64,
    description: 'Printable ASCII without spaces; stored upper-case.',
  })
  symbol!: string;

  @ApiProperty({ example: '1d', description: '30s, 1m (or 1min), 1h, 1d, 1w, 1mo and the like.' })
  interval!: string;

  @ApiProperty({
    oneOf: [{ type: 'string' }, { type: 'number' }],
    example: '2026-01-02T00:00:00Z',
    description:
      'Start of the bar: RFC 3339 with a zone, YYYY-MM-DD, or epoch seconds; up to microseconds; years 1800 to 2200. Answers use RFC 3339 in UTC.',
  })
  ts!: string | number;

  @ApiProperty({ example: 187.15 })
  open!: number;

  @ApiProperty({ example: 188.44, description: 'At least open, low and close.' })
  high!: number;

  @ApiProperty({ example: 183.89, description: 'At most open and close.' })
  low!: number;

  @ApiProperty({ example: 185.64 })
  close!: number;

  @ApiProperty({ example: 82488700, minimum: 0 })
  volume!: number;
}

/** A bar and how long ago it began. */
export class LatestBarDto extends BarDto {
  @ApiProperty({ example: 42.5, description: 'Seconds from the start of the bar until now.' })
  age_seconds!: number;
}

/** Bars wrapped in an object. */
export class BarListDto {
  @ApiProperty({ type: [BarDto] })
  bars!: BarDto[];
}

/** A page of bars. */
export class BarPageDto extends BarListDto {
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Pass as `page_token` for the next page; null on the last.',
    example: null,
  })
  next_page_token!: string | null;
}

/** The newest bar of each series. */
export class LatestBarsDto {
  @ApiProperty({ type: [LatestBarDto] })
  bars!: LatestBarDto[];
}
