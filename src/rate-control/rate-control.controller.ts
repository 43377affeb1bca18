import { Body, Controller, Get, HttpCode, Inject, Param, Post, Put, Req } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';

import { RequiresScope } from '../config/access.decorator.js';
import { RATE_CONTROLLER, type RateAdjustment, type RateController } from '../core/index.js';
import { ApiProblems, ApiSecured } from '../http/api.decorators.js';
import { ContractBodyPipe, JsonBodyPipe } from '../http/json.body.js';
import { ProblemError } from '../http/problem.error.js';
import { requireProvider } from '../http/provider.access.js';
import {
  AcquiredDto,
  AcquireDto,
  AdjustmentAcceptedDto,
  CooldownDto,
  ProviderDto,
  ProviderListDto,
  ProviderRateDto,
  RateAdjustmentDto,
} from './rate-control.dto.js';
import {
  ACQUIRE_EXAMPLES,
  ACQUIRED_EXAMPLE,
  ADJUSTED_EXAMPLE,
  ADJUSTMENT_EXAMPLES,
  COOLDOWN_EXAMPLES,
  PROVIDER_EXAMPLE,
  PROVIDERS_EXAMPLE,
  RATE_EXAMPLES,
} from './rate-control.examples.js';
import { parseAdjustment } from './adjustment.parser.js';
import { ProviderNameError, TooManyProvidersError } from './rate.errors.js';
import { TokenBucketRateController } from './token.bucket.rate.controller.js';

const PROVIDER = {
  name: 'name',
  description: 'The provider.',
  schema: { type: 'string', example: 'ibkr' },
} as const;

/** What providers may send. */
@ApiTags('rate control')
@ApiSecured()
@Controller('v1/rate-control')
export class RateControlController {
  constructor(
    private readonly buckets: TokenBucketRateController,
    @Inject(RATE_CONTROLLER) private readonly controller: RateController,
  ) {}

  @Get('providers')
  @RequiresScope('read')
  @ApiOperation({
    operationId: 'getProviders',
    summary: 'Providers, their scales and their rates',
    description:
      'A provider has an entry from its first bars on. A rate that is set is enforced; without one the scale is told, and no bars are refused for it.',
  })
  @ApiOkResponse({
    type: ProviderListDto,
    description: 'Every provider that has sent bars or has a rate.',
    example: PROVIDERS_EXAMPLE,
  })
  @ApiProblems('unauthorized', 'forbidden')
  list(): ProviderListDto {
    return { providers: this.buckets.entries() };
  }

  @Put('providers/:name')
  @ApiOperation({ operationId: 'putProvider', summary: 'Set the rate of a provider, which is then enforced' })
  @ApiParam(PROVIDER)
  @ApiBody({ type: ProviderRateDto, examples: RATE_EXAMPLES })
  @ApiOkResponse({ type: ProviderDto, description: 'The provider as it is now.', example: PROVIDER_EXAMPLE })
  @ApiProblems('malformed-body', 'body-too-large', 'unauthorized', 'forbidden', 'invalid-document')
  register(
    @Param('name') name: string,
    @Body(new JsonBodyPipe(ProviderRateDto)) rate: ProviderRateDto,
  ): ProviderDto {
    try {
      this.buckets.register(name, { refillRate: rate.refill_rate, burst: rate.burst });
    } catch (error) {
      if (error instanceof ProviderNameError || error instanceof TooManyProvidersError) {
        throw new ProblemError('invalid-document', error.message);
      }
      throw error;
    }
    return this.entry(name);
  }

  @Post('providers/:name/acquire')
  @HttpCode(200)
  @RequiresScope('ingest')
  @ApiOperation({ operationId: 'acquireTokens', summary: 'Ask whether rows may be sent now' })
  @ApiParam(PROVIDER)
  @ApiBody({ type: AcquireDto, examples: ACQUIRE_EXAMPLES })
  @ApiOkResponse({ type: AcquiredDto, description: 'They may be sent.', example: ACQUIRED_EXAMPLE })
  @ApiProblems(
    'malformed-body',
    'body-too-large',
    'unauthorized',
    'forbidden',
    'provider-forbidden',
    'unknown-provider',
    'invalid-document',
    'rate-limited',
  )
  acquire(
    @Param('name') name: string,
    @Body(new JsonBodyPipe(AcquireDto)) { tokens }: AcquireDto,
    @Req() { grant }: FastifyRequest,
  ): AcquiredDto {
    requireProvider(grant?.providers, name);
    const { burst } = this.entry(name);
    this.buckets.meet(name, grant);
    if (burst !== null && tokens > burst) {
      const detail = `must not be above the burst of ${burst} rows`;
      throw new ProblemError('invalid-document', `/tokens ${detail}.`, {
        members: { errors: [{ pointer: '/tokens', detail }] },
      });
    }
    const result = this.buckets.tryAcquire(name, tokens);
    if (!result.granted) {
      throw new ProblemError('rate-limited', `${name} may not send ${tokens} rows now (${result.reason}).`, {
        retryAfterMs: result.retryAfterMs,
      });
    }
    return { granted: tokens, remaining: result.remaining };
  }

  @Post('providers/:name/cooldown')
  @HttpCode(200)
  @RequiresScope('feedback')
  @ApiOperation({
    operationId: 'coolDown',
    summary: 'Pause a provider for a time, as after a pacing violation',
    description:
      'Holds also for a provider without a rate. Five pauses with no bars taken between them open the circuit of the provider: after the pause one batch is let in, and the rest when that was taken.',
  })
  @ApiParam(PROVIDER)
  @ApiBody({ type: CooldownDto, examples: COOLDOWN_EXAMPLES })
  @ApiOkResponse({ type: ProviderDto, description: 'The provider as it is now.', example: PROVIDER_EXAMPLE })
  @ApiProblems('malformed-body', 'body-too-large', 'unauthorized', 'forbidden', 'invalid-document')
  coolDown(
    @Param('name') name: string,
    @Body(new JsonBodyPipe(CooldownDto)) { seconds }: CooldownDto,
    @Req() { grant }: FastifyRequest,
  ): ProviderDto {
    try {
      this.buckets.meetForOrder(name, grant);
    } catch (error) {
      if (error instanceof ProviderNameError) throw new ProblemError('invalid-document', error.message);
      throw error;
    }
    this.buckets.cooldown(name, seconds);
    return this.entry(name);
  }

  @Post('adjustments')
  @HttpCode(202)
  @RequiresScope('feedback')
  @ApiOperation({ operationId: 'postAdjustment', summary: 'Apply a RateAdjustment' })
  @ApiBody({ type: RateAdjustmentDto, examples: ADJUSTMENT_EXAMPLES })
  @ApiAcceptedResponse({ type: AdjustmentAcceptedDto, description: 'Applied.', example: ADJUSTED_EXAMPLE })
  @ApiProblems('malformed-body', 'body-too-large', 'unauthorized', 'forbidden', 'invalid-document')
  async adjust(
    @Body(new ContractBodyPipe(parseAdjustment)) adjustment: RateAdjustment,
    @Req() { grant }: FastifyRequest,
  ): Promise<AdjustmentAcceptedDto> {
    // Now and not at its first bars: its entry begins with the level, which would replace the adjustment then.
    this.buckets.meetForOrder(adjustment.provider, grant);
    await this.controller.apply(adjustment);
    return { status: 'accepted' };
  }

  private entry(name: string): ProviderDto {
    const entry = this.buckets.entry(name);
    if (entry === undefined)
      throw new ProblemError(
        'unknown-provider',
        `${name} has no entry: it has sent no bars yet, or others have taken all entries since.`,
      );
    return entry;
  }
}
