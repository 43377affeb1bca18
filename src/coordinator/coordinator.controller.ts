import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';

import { RequiresScope } from '../config/access.decorator.js';
import { ApiProblems, ApiSecured } from '../http/api.decorators.js';
import { CoordinatorDto } from './coordinator.dto.js';
import { DurableCoordinator } from './durable.coordinator.js';

/** Shows the coordinator. */
@ApiTags('coordinator')
@ApiSecured()
@Controller('v1/coordinator')
export class CoordinatorController {
  constructor(private readonly coordinator: DurableCoordinator<never, unknown>) {}

  @Get()
  @RequiresScope('read')
  @ApiOperation({ operationId: 'getCoordinator', summary: 'Queue, workers, circuit and ledger' })
  @ApiOkResponse({
    type: CoordinatorDto,
    description: 'The coordinator at this moment.',
    example: CoordinatorDto.example,
  })
  @ApiProblems('unauthorized', 'forbidden')
  get(): CoordinatorDto {
    return CoordinatorDto.of(this.coordinator.snapshot());
  }
}
