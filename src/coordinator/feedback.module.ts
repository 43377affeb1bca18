import { Global, Logger, Module } from '@nestjs/common';

import type { Settings } from '../config/settings.js';
import { SETTINGS } from '../config/settings.config.js';
import { FEEDBACK_PUBLISHER, type FeedbackPublisher } from '../core/index.js';
import { EventStream } from './event.stream.js';
import { FeedbackBus } from './feedback/feedback.bus.js';
import { LevelSignaller } from './feedback/level.signaller.js';
import { FeedbackChannels } from './feedback.channels.js';
import { FeedbackController } from './feedback.controller.js';
import { FEEDBACK_PARSER, FeedbackInbox, type FeedbackParser } from './feedback.inbox.js';
import { DurableCoordinator } from './durable.coordinator.js';

/** Most readers of the stream of events, however many clients may be connected. */
const MOST_READERS = 1_000;

/**
 * The coordinator's level on its way to producers. FEEDBACK_PARSER, which reads events of other stores, comes from
 * the application.
 */
@Global()
@Module({
  controllers: [FeedbackController],
  providers: [
    {
      provide: FeedbackBus,
      useFactory: () => {
        const logger = new Logger('feedback');
        return new FeedbackBus((error) => logger.error(error));
      },
    },
    // Another FeedbackPublisher takes the bus's place here.
    { provide: FEEDBACK_PUBLISHER, useExisting: FeedbackBus },
    {
      provide: EventStream,
      inject: [SETTINGS],
      useFactory: ({ http }: Settings) => {
        const logger = new Logger('feedback');
        return new EventStream({
          // A reader stays: half of the connections are for those who ask and go.
          maxReaders: Math.min(MOST_READERS, Math.floor(http.mostConnections / 2)),
          warn: (message) => logger.warn(message),
        });
      },
    },
    {
      provide: LevelSignaller,
      inject: [SETTINGS, DurableCoordinator, FEEDBACK_PUBLISHER],
      useFactory: (
        { feedback }: Settings,
        coordinator: DurableCoordinator<never, unknown>,
        publisher: FeedbackPublisher,
      ) =>
        new LevelSignaller(coordinator, publisher, {
          heartbeatMs: feedback.heartbeatMs,
          // Bars are taken and kept while the database is away.
          openCircuitLevel: 'soft',
        }),
    },
    {
      provide: FeedbackInbox,
      inject: [SETTINGS, FeedbackBus, FEEDBACK_PARSER],
      useFactory: ({ coordinator }: Settings, bus: FeedbackBus, parse: FeedbackParser) => {
        const logger = new Logger('feedback');
        return new FeedbackInbox(coordinator.id, bus, parse, (message) => logger.warn(message));
      },
    },
    {
      provide: FeedbackChannels,
      inject: [SETTINGS, FeedbackBus, FeedbackInbox],
      useFactory: (settings: Settings, bus: FeedbackBus, inbox: FeedbackInbox) => {
        const channels = new FeedbackChannels(settings, bus, inbox, new Logger('feedback'));
        channels.start();
        return channels;
      },
    },
  ],
  exports: [FEEDBACK_PUBLISHER, FeedbackBus, EventStream, LevelSignaller, FeedbackChannels],
})
export class FeedbackModule {}
