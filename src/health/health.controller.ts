import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import {
  ApiExtraModels,
  ApiOkResponse,
  ApiOperation,
  ApiQuery,
  ApiResponse,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { Public } from '../config/access.decorator.js';
import type { Settings } from '../config/settings.js';
import { SETTINGS } from '../config/settings.config.js';
import { TokenAuthenticator } from '../config/token.authenticator.js';
import type { HealthComponent } from '../core/health.status.js';
import { RETRY_AFTER_HEADER } from '../http/api.decorators.js';
import { DrainState } from '../http/drain.state.js';
import { HealthzDto, ReadyzDto } from './health.dto.js';
import {
  HEALTHZ_EXAMPLE,
  LIVEZ_EXAMPLE,
  NOT_READY_EXAMPLE,
  NOT_READY_TEXT,
  READY_EXAMPLE,
  READY_TEXT,
} from './health.examples.js';
import { HealthReporter, type HealthReport } from './health.reporter.js';

/** Components without which the service cannot take or serve bars. */
const NEEDED = ['database', 'spool'];

const DETAILS =
  'Without a token, or with one that is not known, `details` are empty, and `?verbose` says no reason.';

/** A token may be sent and need not be. */
const ANYONE = [{}, { bearer: [] }];

/** The probes of Kubernetes and of whoever watches. */
@ApiTags('operation')
@ApiExtraModels(ReadyzDto)
@Public()
@Controller()
export class HealthController {
  private readonly needed: ReadonlySet<string>;
  private readonly tellsStatus: boolean;

  constructor(
    private readonly reporter: HealthReporter,
    private readonly drain: DrainState,
    private readonly authenticator: TokenAuthenticator,
    @Inject(SETTINGS) { readyWithoutDatabase, rates }: Settings,
  ) {
    this.tellsStatus = !rates.useCoreContracts;
    this.needed = new Set(NEEDED.filter((name) => name !== 'database' || !readyWithoutDatabase));
  }

  @Get('livez')
  @ApiOperation({ operationId: 'getLivez', summary: 'Whether the process and its event loop are alive' })
  @ApiOkResponse({
    type: HealthzDto,
    description: 'They are. No component is asked, and none is in the answer.',
    example: LIVEZ_EXAMPLE,
  })
  livez(): HealthzDto {
    return { ...this.reporter.alive(), components: [], ok: true };
  }

  @Get('healthz')
  @ApiOperation({
    operationId: 'getHealthz',
    summary: 'How every component is; 200 while the process serves',
    description: DETAILS,
    security: ANYONE,
  })
  @ApiOkResponse({ type: HealthzDto, description: 'Every component.', example: HEALTHZ_EXAMPLE })
  async healthz(@Req() request: FastifyRequest): Promise<HealthzDto> {
    const status = await this.report(request);
    const older = this.tellsStatus ? { status: status.state } : {};
    return { ...status, components: [...status.components], ok: true, ...older };
  }

  @Get('health')
  @ApiOperation({
    operationId: 'getHealth',
    summary: 'The same as /healthz',
    description: DETAILS,
    security: ANYONE,
  })
  @ApiOkResponse({ type: HealthzDto, description: 'Every component.', example: HEALTHZ_EXAMPLE })
  async health(@Req() request: FastifyRequest): Promise<HealthzDto> {
    return await this.healthz(request);
  }

  @Get('readyz')
  @ApiOperation({
    operationId: 'getReadyz',
    summary: 'Whether to send requests here',
    description: DETAILS,
    security: ANYONE,
  })
  @ApiQuery({
    name: 'verbose',
    required: false,
    allowEmptyValue: true,
    description: 'Answer a line per component, as Kubernetes does.',
    schema: { type: 'string' },
  })
  @ApiOkResponse({ description: 'Ready.', content: readyzContent(READY_EXAMPLE, READY_TEXT) })
  @ApiResponse({
    status: 503,
    description: 'Not ready; the components tell why.',
    headers: { 'Retry-After': RETRY_AFTER_HEADER },
    content: readyzContent(NOT_READY_EXAMPLE, NOT_READY_TEXT),
  })
  async readyz(
    @Query('verbose') verbose: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const status = await this.report(request);
    const ready =
      !this.drain.draining &&
      status.components.every(({ name, state }) => state !== 'unhealthy' || !this.needed.has(name));
    void reply.status(ready ? 200 : 503);
    if (!ready) void reply.header('retry-after', '1');
    if (verbose === undefined) void reply.send({ ...status, ready });
    else
      void reply
        .type('text/plain; charset=utf-8')
        .send(verboseText(status.components, ready, this.drain.draining));
  }

  /** Details name hosts, ports, roles and what drivers say: a probe without a known token learns names and states. */
  private async report({ headers, socket }: FastifyRequest): Promise<HealthReport> {
    const report = await this.reporter.report();
    if (this.authenticator.authenticate(headers.authorization, socket) !== undefined) return report;
    return {
      ...report,
      components: report.components.map(({ name, state }) => ({ name, state, details: {} })),
    };
  }
}

function readyzContent(example: object, text: string) {
  return {
    'application/json': { schema: { $ref: getSchemaPath(ReadyzDto) }, example },
    'text/plain': { schema: { type: 'string' }, example: text },
  };
}

function verboseText(components: readonly HealthComponent[], ready: boolean, draining: boolean): string {
  const lines = components.map(({ name, state, details }) => {
    const why = details['message'] === undefined ? '' : `: ${details['message']}`;
    return state === 'unhealthy'
      ? `[-]${name} failed${why}`
      : `[+]${name} ${state === 'healthy' ? 'ok' : state}${why}`;
  });
  if (draining) lines.push('[-]service is shutting down');
  return `${lines.join('\n')}\nreadyz check ${ready ? 'passed' : 'failed'}\n`;
}
