import { ApiPropertyOptional } from '@nestjs/swagger';

import { IntervalParameter, ProviderParameter, SymbolsParameter } from './query.decorators.js';

/** Which series a question is about. */
export class SeriesFilterQuery {
  @ApiPropertyOptional({
    type: String,
    description:
      'Comma list of symbols, in any case; of providers whose symbols keep their case only as written. All when absent.',
    example: 'AAPL,BTC/USD',
  })
  @SymbolsParameter()
  symbols?: string[];

  @ApiPropertyOptional({ description: 'Provider; all when absent.', example: 'ibkr' })
  @ProviderParameter()
  provider?: string;

  @ApiPropertyOptional({
    description: 'Interval such as 30s, 5m (or 5min), 1h, 1d, 1w, 1mo; all when absent.',
    example: '1d',
  })
  @IntervalParameter()
  interval?: string;
}
