import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

import { ClockSync } from './bars/clock.sync.js';
import { DataDirectory } from './config/data-directory.js';
import { SECOND } from './config/units.js';
import type { Settings } from './config/settings.js';
import { SETTINGS } from './config/settings.config.js';
import { DurableCoordinator } from './coordinator/index.js';
import { EventStream } from './coordinator/event.stream.js';
import { FeedbackChannels } from './coordinator/feedback.channels.js';
import { Database } from './database/database.js';
import { DatabasePing } from './database/database.ping.js';
import { DatabaseServer } from './database/database.server.js';
import { FeedbackLoop } from './feedback.loop.js';
import { DrainState } from './http/drain.state.js';

/** The part of the shutdown time that may go into writing what is queued; the rest is for closing. */
const DRAIN_SHARE = 0.75;
/** Another part of it, for answers that are on their way. */
const ANSWER_SHARE = 0.1;
/** Time for taking leave of the database. One that hangs never answers. */
const FAREWELL_MS = 0.5 * SECOND;

/** Stops the parts in the order in which bars flow through them. Nest closes the HTTP server between the two steps. */
@Injectable()
export class ShutdownSequence implements BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger('shutdown');
  private answerGrace: NodeJS.Timeout | undefined;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly host: HttpAdapterHost,
    private readonly drain: DrainState,
    private readonly loop: FeedbackLoop,
    private readonly coordinator: DurableCoordinator<never, unknown>,
    private readonly stream: EventStream,
    private readonly channels: FeedbackChannels,
    private readonly clock: ClockSync,
    private readonly database: Database,
    private readonly probe: DatabasePing,
    private readonly server: DatabaseServer,
    private readonly directory: DataDirectory,
  ) {}

  /** Takes nothing new and writes what is queued; requests that wait for it are answered. */
  async beforeApplicationShutdown(): Promise<void> {
    this.logger.log('shutting down: no new bars are taken, what is queued is written');
    this.drain.start();
    this.loop.refuseWaiting();
    const { shutdownTimeoutMs } = this.settings;
    await this.coordinator.stop({ deadlineMs: shutdownTimeoutMs * DRAIN_SHARE });
    // Readers never hang up by themselves; the server would wait for them.
    this.stream.close();
    // A slow reader of an export would hold the server open until the time-out.
    const server = this.host.httpAdapter.getHttpServer() as Server;
    this.answerGrace = setTimeout(
      () => server.closeAllConnections(),
      shutdownTimeoutMs * ANSWER_SHARE,
    ).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.answerGrace);
    this.loop.stop();
    this.clock.stop();
    await this.channels.stop();
    await Promise.race([Promise.all([this.probe.close(), this.database.close()]), sleep(FAREWELL_MS)]);
    await this.server.stop();
    await this.directory.release();
    this.logger.log('stopped');
  }
}
