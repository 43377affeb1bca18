import { Controller, Get, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiConsumes,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
  getSchemaPath,
  ApiExtraModels,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { RequiresScope } from '../config/access.decorator.js';
import { ApiProblems, ApiSecured, BACKPRESSURE_HEADER } from '../http/api.decorators.js';
import { queryPipe } from '../http/query.pipe.js';
import { BarPageDto, LatestBarsDto, NewBarDto, NewBarsDto } from './dto/bar.dto.js';
import {
  BAR_PAGE_EXAMPLE,
  BARS_EXAMPLE_CSV,
  BARS_EXAMPLE_NDJSON,
  BARS_EXAMPLES_JSON,
  INGEST_RESULT_EXAMPLES,
  STORED_RESULT_EXAMPLE,
  LATEST_BARS_EXAMPLE,
  LATEST_BARS_EXAMPLE_CSV,
  LATEST_BARS_EXAMPLE_NDJSON,
} from './dto/bar.examples.js';
import { BarsQuery } from './dto/bars.query.js';
import { IngestQuery } from './dto/ingest.query.js';
import { IngestResultDto, StoredResultDto } from './dto/ingest-result.dto.js';
import { LatestBarsQuery } from './dto/latest-bars.query.js';
import { ingestAnswer } from './ingest/ingest.answer.js';
import { IngestService } from './ingest/ingest.service.js';
import { BarsAnswer } from './read/bars.answer.js';

const NEXT_PAGE_HEADER = {
  description: 'With a page of CSV or NDJSON: the token of the next one.',
  schema: { type: 'string' as const },
};

/** Bars in, bars out. */
@ApiTags('bars')
@ApiSecured()
@ApiExtraModels(BarPageDto, LatestBarsDto, NewBarDto, NewBarsDto)
@Controller('v1/bars')
export class BarsController {
  constructor(
    private readonly ingest: IngestService,
    private readonly answer: BarsAnswer,
  ) {}

  @Post()
  @HttpCode(202)
  @RequiresScope('ingest')
  @ApiOperation({
    operationId: 'postBars',
    summary: 'Store bars',
    description:
      'Answers 202 when the bars are safe on disk: from then on no crash and no power cut loses them. Of two versions of a bar the one received last stays. Sending the same bars again is harmless unless a correction came between, which it reverts; with `on_conflict=keep` it never does.',
  })
  @ApiConsumes('application/json', 'application/x-ndjson', 'text/csv')
  @ApiHeader({
    name: 'Content-Encoding',
    required: false,
    description: 'How the body is compressed; it may be 64 MiB when inflated.',
    schema: { type: 'string', enum: ['gzip'] },
  })
  @ApiBody({
    required: true,
    schema: {
      oneOf: [
        { $ref: getSchemaPath(NewBarDto) },
        { type: 'array', items: { $ref: getSchemaPath(NewBarDto) } },
        { $ref: getSchemaPath(NewBarsDto) },
      ],
    },
    examples: BARS_EXAMPLES_JSON,
  })
  @ApiAcceptedResponse({
    type: IngestResultDto,
    description: 'ack=durable: the bars are safe on disk and will be committed.',
    headers: { 'X-Backpressure': BACKPRESSURE_HEADER },
    examples: INGEST_RESULT_EXAMPLES,
  })
  @ApiOkResponse({
    type: StoredResultDto,
    description: 'ack=stored: the bars are committed.',
    headers: { 'X-Backpressure': BACKPRESSURE_HEADER },
    example: STORED_RESULT_EXAMPLE,
  })
  @ApiProblems(
    'malformed-body',
    'invalid-parameter',
    'unauthorized',
    'forbidden',
    'provider-forbidden',
    'body-too-large',
    'unsupported-media-type',
    'no-bars',
    'invalid-bars',
    'queue-full',
    'rate-limited',
    'write-refused',
    'database-unavailable',
    'commit-unconfirmed',
    'spool-full',
    'spool-unavailable',
    'draining',
  )
  async post(
    @Query(queryPipe) query: IngestQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { headers, bodyRoom, gone } = request;
    // The end of the request does not release a body that still waits to be decoded.
    request.bodyRoom = undefined;
    try {
      const result = await this.ingest.ingest({
        body: takeBody(request),
        grant: request.grant,
        contentType: headers['content-type'],
        contentEncoding: headers['content-encoding'],
        onError: query.on_error ?? 'abort',
        onConflict: query.on_conflict ?? 'replace',
        awaitCommit: query.ack === 'stored',
        releaseRoom: request.releaseRoom,
        room: bodyRoom,
        gone,
      });
      const answer = ingestAnswer(result);
      void reply.status(answer.status).headers(answer.headers);
      return answer.body;
    } finally {
      bodyRoom?.release();
    }
  }

  @Get()
  @RequiresScope('read')
  @ApiOperation({
    operationId: 'getBars',
    summary: 'Read bars',
    description:
      'Sorted by symbol, then time. What is exported as CSV or NDJSON can be posted back unchanged, in parts of at most 64 MiB and 500,000 bars (`MDS_COORDINATOR_CAPACITY`): cut between lines, with the header line of CSV in each part.',
  })
  @ApiOkResponse({
    description: 'The bars of the range.',
    headers: {
      'X-Next-Page-Token': NEXT_PAGE_HEADER,
    },
    content: {
      'application/json': { schema: { $ref: getSchemaPath(BarPageDto) }, example: BAR_PAGE_EXAMPLE },
      'application/x-ndjson': { schema: { type: 'string' }, example: BARS_EXAMPLE_NDJSON },
      'text/csv': { schema: { type: 'string' }, example: BARS_EXAMPLE_CSV },
    },
  })
  @ApiProblems(
    'invalid-parameter',
    'unauthorized',
    'forbidden',
    'not-acceptable',
    'database-unavailable',
    'too-many-readers',
  )
  async list(
    @Query(queryPipe) query: BarsQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.answer.bars(query, request, reply);
  }

  @Get('latest')
  @RequiresScope('read')
  @ApiOperation({ operationId: 'getLatestBars', summary: 'Newest bar of each series' })
  @ApiOkResponse({
    description: 'One bar a series, sorted by symbol, provider, interval.',
    headers: { 'X-Next-Page-Token': NEXT_PAGE_HEADER },
    content: {
      'application/json': { schema: { $ref: getSchemaPath(LatestBarsDto) }, example: LATEST_BARS_EXAMPLE },
      'application/x-ndjson': { schema: { type: 'string' }, example: LATEST_BARS_EXAMPLE_NDJSON },
      'text/csv': { schema: { type: 'string' }, example: LATEST_BARS_EXAMPLE_CSV },
    },
  })
  @ApiProblems('invalid-parameter', 'unauthorized', 'forbidden', 'not-acceptable', 'database-unavailable')
  async latest(
    @Query(queryPipe) query: LatestBarsQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.answer.latest(query, request, reply);
  }
}

/** The body, which the request holds no more: Fastify would until the answer. */
function takeBody(request: FastifyRequest): Buffer {
  const { body } = request;
  request.body = undefined;
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}
