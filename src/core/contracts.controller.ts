import { Controller, Get, Header, NotFoundException, Param, SetMetadata } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';

import { CONTRACTS } from './contract.catalogue.js';
import { ContractFiles } from './contract.files.js';

const SCHEMA_TYPE = 'application/schema+json';

/** Serves the JSON Schemas of the contracts to whoever wants to check against them. */
@ApiTags('contracts')
@SetMetadata('access', 'public')
@Controller('contracts')
export class ContractsController {
  constructor(private readonly files: ContractFiles) {}

  @Get(':name.schema.json')
  @Header('content-type', SCHEMA_TYPE)
  @ApiOperation({
    operationId: 'getContract',
    summary: 'The JSON Schema (draft 2020-12) of a Core contract',
    security: [],
  })
  @ApiParam({
    name: 'name',
    schema: { type: 'string', enum: [...CONTRACTS.keys()], example: 'telemetry.BackpressureLevel' },
  })
  @ApiOkResponse({
    description: 'The schema.',
    content: {
      [SCHEMA_TYPE]: {
        schema: { type: 'object', additionalProperties: true },
        example: {
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          $id: 'telemetry.BackpressureLevel',
          title: 'BackpressureLevel',
          type: 'string',
          enum: ['ok', 'soft', 'hard'],
        },
      },
    },
  })
  @ApiResponse({
    status: 404,
    description: '`not-found`: There is no such contract.',
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        example: {
          type: 'urn:market-data-store:problem:not-found',
          title: 'There is nothing at this address',
          status: 404,
          detail: 'There is nothing at /contracts/telemetry.Weather.schema.json.',
          instance: '/contracts/telemetry.Weather.schema.json',
          code: 'not-found',
          request_id: '0d6e3c9e-31f5-4d6f-9d2e-6f0a2f2d9c57',
        },
      },
    },
  })
  contract(@Param('name') name: string): string {
    const schema = this.files.get(name);
    if (schema === undefined) throw new NotFoundException(`there is no contract ${name}`);
    return schema;
  }
}
