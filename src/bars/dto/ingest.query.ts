import { ApiPropertyOptional } from '@nestjs/swagger';

import { ChoiceParameter } from '../../http/query.decorators.js';

/** Parameters of POST /v1/bars. */
export class IngestQuery {
  @ApiPropertyOptional({
    enum: ['durable', 'stored'],
    default: 'durable',
    description: 'When to answer: 202 when the bars are safe on disk, or 200 when they are committed.',
  })
  @ChoiceParameter(['durable', 'stored'])
  ack?: 'durable' | 'stored';

  @ApiPropertyOptional({
    enum: ['abort', 'skip'],
    default: 'abort',
    description: 'What to do when some bars are bad: store none, or store the good ones.',
  })
  @ChoiceParameter(['abort', 'skip'])
  on_error?: 'abort' | 'skip';
}
