import { Global, Module } from '@nestjs/common';

import type { Settings } from './config/settings.js';
import { SETTINGS } from './config/settings.config.js';
import { FEEDBACK_PARSER } from './coordinator/feedback.inbox.js';
import { feedbackParser } from './feedback.parser.js';

/** How events from elsewhere are read. */
@Global()
@Module({
  providers: [
    {
      provide: FEEDBACK_PARSER,
      inject: [SETTINGS],
      useFactory: ({ rates }: Settings) => feedbackParser(rates.useCoreContracts),
    },
  ],
  exports: [FEEDBACK_PARSER],
})
export class FeedbackParserModule {}
