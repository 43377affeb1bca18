import { Controller, Get, Header, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { PrometheusController } from '@willsoto/nestjs-prometheus';
import type { FastifyReply } from 'fastify';
import { register } from 'prom-client';

import { Public } from '../config/access.decorator.js';

/** The scrape endpoint. */
@ApiTags('operation')
@Controller('metrics')
export class MetricsController extends PrometheusController {
  @Public()
  @Get()
  @Header('content-type', register.contentType)
  @ApiOperation({ operationId: 'getMetrics', summary: 'Metrics in the Prometheus text format' })
  @ApiProduces('text/plain')
  @ApiOkResponse({
    description: 'All metrics of the service and of its runtime.',
    content: { 'text/plain': { schema: { type: 'string' }, example: 'store_up 1\n' } },
  })
  override async index(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return await super.index(reply);
  }
}
