import type { OutgoingHttpHeaders } from 'node:http';

import { Controller, Get, Headers, HttpCode, Post, Req, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { RequiresScope } from '../config/access.decorator.js';
import { SECOND } from '../config/units.js';
import { ApiProblems, ApiSecured } from '../http/api.decorators.js';
import { ContractBodyPipe } from '../http/json.body.js';
import { ProblemError } from '../http/problem.error.js';
import { EventStream } from './event.stream.js';
import { FeedbackBus } from './feedback/feedback.bus.js';
import { feedbackMessage } from './feedback/feedback.message.js';
import { ACCEPTED_EXAMPLE, FEEDBACK_EXAMPLES, FEEDBACK_LIST_EXAMPLE } from './feedback.examples.js';
import { AcceptedDto, FeedbackEventDto, FeedbackListDto } from './feedback.dto.js';
import { FeedbackInbox } from './feedback.inbox.js';

/** Levels of coordinators, to be read, followed and told. */
@ApiTags('feedback')
@ApiSecured()
@Controller('v1/feedback')
export class FeedbackController {
  constructor(
    private readonly bus: FeedbackBus,
    private readonly stream: EventStream,
    private readonly inbox: FeedbackInbox,
  ) {}

  @Get()
  @RequiresScope('read', 'ingest')
  @ApiOperation({ operationId: 'getFeedback', summary: 'Newest event of each coordinator' })
  @ApiOkResponse({
    type: FeedbackListDto,
    description: 'Empty until a level changed for the first time.',
    example: FEEDBACK_LIST_EXAMPLE,
  })
  @ApiProblems('unauthorized', 'forbidden')
  latest(): FeedbackListDto {
    return { events: this.bus.latest.map(feedbackMessage) };
  }

  @Get('stream')
  @RequiresScope('read', 'ingest')
  @ApiOperation({
    operationId: 'streamFeedback',
    summary: 'Follow levels and rates as server-sent events',
    description:
      '`event: feedback` carries a FeedbackEvent, `event: adjustment` a RateAdjustment. A reader that comes back with `Last-Event-ID` gets what it missed; a new one gets the newest of each. With a token that is bound to providers, adjustments are those of these providers. A reader that is more than 4 MiB behind is dropped.',
  })
  @ApiHeader({ name: 'Last-Event-ID', required: false, schema: { type: 'string' } })
  @ApiOkResponse({
    description: 'The stream.',
    content: {
      'text/event-stream': {
        schema: { type: 'string' },
        example:
          'id: 1f0c2d3e-7\nevent: adjustment\ndata: {"provider":"ibkr","scale":0.5,"reason":"soft","ts":1760659200.25}\n\n',
      },
    },
  })
  @ApiProblems('bad-request', 'unauthorized', 'forbidden', 'too-many-readers')
  follow(
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): void {
    if (this.stream.isFull) {
      throw new ProblemError('too-many-readers', 'Poll GET /v1/feedback instead.', {
        retryAfterMs: 30 * SECOND,
      });
    }
    if (reply.raw.socket === null) {
      throw new ProblemError('bad-request', 'Open the stream on a connection without other requests.');
    }
    reply.hijack();
    reply.raw.writeHead(200, {
      ...(reply.getHeaders() as OutgoingHttpHeaders),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Or a proxy such as nginx holds events back until its buffer is full.
      'x-accel-buffering': 'no',
    });
    if (request.method === 'HEAD') reply.raw.end();
    else this.stream.add(reply.raw, lastEventId, request.grant?.providers);
  }

  @Post()
  @HttpCode(202)
  @RequiresScope('feedback')
  @ApiOperation({
    operationId: 'postFeedback',
    summary: 'Tell the level of another store',
    description:
      'An event in this store’s own name is taken and not applied. One dated more than 5 s ahead is refused.',
  })
  @ApiBody({ type: FeedbackEventDto, examples: FEEDBACK_EXAMPLES })
  @ApiAcceptedResponse({ type: AcceptedDto, description: 'Taken.', example: ACCEPTED_EXAMPLE })
  @ApiProblems('malformed-body', 'body-too-large', 'unauthorized', 'forbidden', 'invalid-document')
  async take(@Req() request: FastifyRequest): Promise<AcceptedDto> {
    await this.inbox.take(new ContractBodyPipe(this.inbox.read).transform(request.body));
    return { status: 'accepted' };
  }
}
