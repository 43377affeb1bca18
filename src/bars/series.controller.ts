import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';

import { RequiresScope } from '../config/access.decorator.js';
import { ApiProblems, ApiSecured } from '../http/api.decorators.js';
import { queryPipe } from '../http/query.pipe.js';
import { SERIES_PAGE_EXAMPLE, SeriesPageDto } from './dto/series.dto.js';
import { SeriesListQuery } from './dto/series-list.query.js';
import { SeriesAnswer } from './read/series.answer.js';

/** What series there are. */
@ApiTags('bars')
@ApiSecured()
@Controller('v1/series')
export class SeriesController {
  constructor(private readonly answer: SeriesAnswer) {}

  @Get()
  @RequiresScope('read')
  @ApiOperation({
    operationId: 'getSeries',
    summary: 'List series with the extent of their bars',
    description: 'Costs the same whatever the number of bars, unless `rows=true` asks to count them.',
  })
  @ApiOkResponse({
    type: SeriesPageDto,
    description: 'Sorted by symbol, provider, interval.',
    example: SERIES_PAGE_EXAMPLE,
  })
  @ApiProblems('invalid-parameter', 'unauthorized', 'forbidden', 'database-unavailable')
  async list(@Query(queryPipe) query: SeriesListQuery): Promise<SeriesPageDto> {
    return await this.answer.list(query);
  }
}
