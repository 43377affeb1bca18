import { Global, Module } from '@nestjs/common';

import type { Settings } from './config/settings.js';
import { SETTINGS } from './config/settings.config.js';
import { FEEDBACK_PARSER, type FeedbackParser } from './coordinator/feedback.inbox.js';
import { parseFeedbackEvent } from './coordinator/index.js';
import { parseDuckTypedEvent } from './rate-control/index.js';

/** How events from elsewhere are read: as Core's contract, or for one more release also in their older form. */
@Global()
@Module({
  providers: [
    {
      provide: FEEDBACK_PARSER,
      inject: [SETTINGS],
      useFactory: ({ rates }: Settings): FeedbackParser =>
        rates.useCoreContracts
          ? parseFeedbackEvent
          : (document) => parseFeedbackEvent(parseDuckTypedEvent(document)),
    },
  ],
  exports: [FEEDBACK_PARSER],
})
export class FeedbackParserModule {}
