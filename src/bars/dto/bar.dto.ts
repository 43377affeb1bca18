import { ApiProperty, ApiSchema } from '@nestjs/swagger';

import { SYMBOL } from '../series.key.js';
import { NextPageToken } from './page.decorators.js';

const PRICE = { type: 'number' } as const;

/** What a bar has whichever way it goes. */
class BarFieldsDto {
  @ApiProperty({ example: 'ibkr', pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'Who the bar comes from.' })
  provider!: string;

  @ApiProperty({
    example: 'AAPL',
    pattern: SYMBOL.source,
    description:
      '1 to 64 printable ASCII characters without spaces and commas; stored in upper case, but for providers whose symbols keep their case (`MDS_CASE_SENSITIVE_PROVIDERS`).',
  })
  symbol!: string;

  @ApiProperty({
    example: '1d',
    pattern: '^[1-9][0-9]{0,3}(s|m|min|h|d|w|mo)$',
    description: '30s, 1m, 5min, 1h, 1d, 1w, 1mo and the like; `5min` is stored as `5m`.',
  })
  interval!: string;

  @ApiProperty({ ...PRICE, example: 187.15 })
  open!: number;

  @ApiProperty({ ...PRICE, example: 188.44, description: 'At least open, low and close.' })
  high!: number;

  @ApiProperty({ ...PRICE, example: 183.89, description: 'At most open and close.' })
  low!: number;

  @ApiProperty({ ...PRICE, example: 185.64 })
  close!: number;

  @ApiProperty({ type: 'number', example: 82488700, minimum: 0 })
  volume!: number;
}

/** A bar as it is sent. */
@ApiSchema({
  name: 'NewBar',
  description: 'A bar as it is sent. Other fields are ignored; the answer names them.',
})
export class NewBarDto extends BarFieldsDto {
  @ApiProperty({
    oneOf: [{ type: 'string' }, { type: 'number' }],
    example: '2026-01-02T00:00:00Z',
    description:
      'Start of the bar: RFC 3339 with a zone, YYYY-MM-DD, or epoch seconds; up to microseconds; years 1800 to 2200.',
  })
  ts!: string | number;
}

/** Bars as they are sent, wrapped in an object. */
@ApiSchema({ name: 'NewBars' })
export class NewBarsDto {
  @ApiProperty({ type: [NewBarDto] })
  bars!: NewBarDto[];
}

/** A stored bar. */
@ApiSchema({ name: 'Bar', description: 'A stored bar. Every number is bit-identical to the one sent.' })
export class BarDto extends BarFieldsDto {
  @ApiProperty({
    format: 'date-time',
    example: '2026-01-02T00:00:00Z',
    description: 'Start of the bar, RFC 3339 in UTC.',
  })
  ts!: string;
}

/** A bar and how long ago it began. */
@ApiSchema({ name: 'LatestBar' })
export class LatestBarDto extends BarDto {
  @ApiProperty({ type: 'number', example: 42.5, description: 'Seconds from the start of the bar until now.' })
  age_seconds!: number;
}

/** A page of bars. */
@ApiSchema({ name: 'BarPage' })
export class BarPageDto {
  @ApiProperty({ type: [BarDto] })
  bars!: BarDto[];

  @NextPageToken()
  next_page_token!: string | null;
}

/** A page of newest bars, one of each series. */
@ApiSchema({ name: 'LatestBars' })
export class LatestBarsDto {
  @ApiProperty({ type: [LatestBarDto] })
  bars!: LatestBarDto[];

  @NextPageToken()
  next_page_token!: string | null;
}
