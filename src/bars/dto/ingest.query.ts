import { ApiPropertyOptional } from '@nestjs/swagger';

import { ChoiceParameter } from '../../http/query.decorators.js';
import type { OnConflict } from '../bar.batch.js';

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

  @ApiPropertyOptional({
    enum: ['replace', 'keep'],
    default: 'replace',
    description:
      'What to do where a bar is stored already: replace it, if these bars were received later, or keep the stored one. `keep` never changes a stored bar, and a bar that it stored gives way to every one that is sent without it.',
  })
  @ChoiceParameter(['replace', 'keep'])
  on_conflict?: OnConflict;
}
