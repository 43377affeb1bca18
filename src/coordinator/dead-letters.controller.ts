import { Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiTags,
} from '@nestjs/swagger';

import { SECOND } from '../config/units.js';
import { ApiProblems, ApiSecured } from '../http/api.decorators.js';
import { ProblemError } from '../http/problem.error.js';
import { queryPipe } from '../http/query.pipe.js';
import {
  DeadLetterDamagedError,
  DeadLetterUndecodableError,
  DeadLetterUnreadError,
  type DeadLetter,
} from './dead-letters/dead.letter.js';
import {
  DeadLetterContentDto,
  DeadLetterDto,
  DeadLetterListQuery,
  DeadLetterPageDto,
  MAX_DEAD_LETTERS,
  ReplayedDto,
} from './dead-letters.dto.js';
import { DEAD_LETTER_EXAMPLE, DEAD_LETTERS_EXAMPLE, REPLAYED_EXAMPLE } from './dead-letters.examples.js';
import { DurableCoordinator } from './durable.coordinator.js';
import type { Entry } from './sink.js';
import { acceptProblem } from './accept.problem.mapping.js';

/** After this many milliseconds it makes sense to ask again for a record that the disk does not read. */
const UNREAD_RETRY_MS = 5 * SECOND;

const ID = {
  name: 'id',
  description: 'The id of the record.',
  schema: { type: 'string', example: DEAD_LETTER_EXAMPLE.id },
} as const;

/** What the database refused. */
@ApiTags('dead letters')
@ApiSecured()
@Controller('v1/dlq')
export class DeadLettersController {
  constructor(private readonly coordinator: DurableCoordinator<Entry, unknown>) {}

  @Get()
  @ApiOperation({ operationId: 'getDeadLetters', summary: 'Records of the dead-letter queue, oldest first' })
  @ApiOkResponse({ type: DeadLetterPageDto, description: 'A page of them.', example: DEAD_LETTERS_EXAMPLE })
  @ApiProblems('invalid-parameter', 'unauthorized', 'forbidden')
  async list(@Query(queryPipe) query: DeadLetterListQuery): Promise<DeadLetterPageDto> {
    const { limit = 100, page_token } = query;
    const { deadLetters } = this.coordinator;
    const ids = deadLetters.ids({ after: page_token, limit: limit + 1 });
    const records: DeadLetterDto[] = [];
    for (const id of ids.slice(0, limit)) {
      const letter = await deadLetters.read(id).catch(ignoreDamage);
      if (letter) records.push(DeadLetterDto.of(letter, this.coordinator.describe(letter)));
    }
    return { records, next_page_token: ids.length > limit ? (ids[limit - 1] ?? null) : null };
  }

  @Get(':id')
  @ApiOperation({ operationId: 'getDeadLetter', summary: 'One record with its rows' })
  @ApiParam(ID)
  @ApiOkResponse({ type: DeadLetterContentDto, description: 'The record.', example: DEAD_LETTER_EXAMPLE })
  @ApiProblems('unauthorized', 'forbidden', 'unknown-record', 'damaged-record', 'spool-unavailable')
  async inspect(@Param('id') id: string): Promise<DeadLetterContentDto> {
    const letter = await this.read(id);
    const rows = this.coordinator.show(letter, MAX_DEAD_LETTERS);
    return DeadLetterContentDto.with(letter, this.coordinator.describe(letter), rows);
  }

  @Post(':id/replay')
  @HttpCode(202)
  @ApiOperation({
    operationId: 'replayDeadLetter',
    summary: 'Try to store one record again',
    description: 'Its rows keep their time of receipt: a version received later is not overwritten.',
  })
  @ApiParam(ID)
  @ApiAcceptedResponse({
    type: ReplayedDto,
    description: 'The rows are in the spool again and the record is gone.',
    example: REPLAYED_EXAMPLE,
  })
  @ApiProblems(
    'unauthorized',
    'forbidden',
    'unknown-record',
    'damaged-record',
    'queue-full',
    'spool-full',
    'spool-unavailable',
    'draining',
  )
  async replay(@Param('id') id: string): Promise<ReplayedDto> {
    if (!(await this.replayOne(id).catch(asProblem))) throw unknown(id);
    return { replayed: 1 };
  }

  @Post('replay')
  @HttpCode(202)
  @ApiOperation({ operationId: 'replayDeadLetters', summary: 'Try to store all records again' })
  @ApiAcceptedResponse({
    type: ReplayedDto,
    description:
      'So many records are in the spool again. Those that are refused again come back as new records.',
    example: REPLAYED_EXAMPLE,
  })
  @ApiProblems('unauthorized', 'forbidden', 'queue-full', 'spool-full', 'spool-unavailable', 'draining')
  async replayAll(): Promise<ReplayedDto> {
    let replayed = 0;
    for (const id of this.coordinator.deadLetters.ids({ limit: Infinity })) {
      if (await this.replayOne(id).catch(ignoreDamage)) replayed++;
    }
    return { replayed };
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ operationId: 'deleteDeadLetter', summary: 'Give one record up for good' })
  @ApiParam(ID)
  @ApiNoContentResponse({ description: 'It is gone.' })
  @ApiProblems('unauthorized', 'forbidden', 'unknown-record')
  async remove(@Param('id') id: string): Promise<void> {
    if (!(await this.coordinator.deadLetters.remove(id))) throw unknown(id);
  }

  private async read(id: string): Promise<DeadLetter> {
    const letter = await this.coordinator.deadLetters.read(id).catch(asProblem);
    if (!letter) throw unknown(id);
    return letter;
  }

  private async replayOne(id: string): Promise<boolean> {
    try {
      return await this.coordinator.replayDeadLetter(id);
    } catch (error) {
      throw acceptProblem(error, this.coordinator.retryAfterMs());
    }
  }
}

/** What is damaged was put aside, and the operator told; what cannot be read or understood must not hold up the others. */
function ignoreDamage(error: unknown): undefined {
  if (!isDamage(error) && !(error instanceof DeadLetterUnreadError)) throw error;
}

function asProblem(error: unknown): never {
  if (error instanceof DeadLetterUnreadError)
    throw new ProblemError('spool-unavailable', 'The disk does not read the record now; it is kept.', {
      retryAfterMs: UNREAD_RETRY_MS,
      cause: error,
    });
  throw isDamage(error) ? new ProblemError('damaged-record', `${error.message}.`, { cause: error }) : error;
}

function isDamage(error: unknown): error is DeadLetterDamagedError | DeadLetterUndecodableError {
  return error instanceof DeadLetterDamagedError || error instanceof DeadLetterUndecodableError;
}

function unknown(id: string): ProblemError {
  return new ProblemError('unknown-record', `There is no dead letter ${JSON.stringify(id.slice(0, 64))}.`);
}
