import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

import { ClockSync } from './bars/clock.sync.js';
import { DataDirectory } from './config/data-directory.js';
import { SECOND } from './config/units.js';
import { StopRequest } from './config/stop.request.js';
import { DurableCoordinator } from './coordinator/index.js';
import { EventStream } from './coordinator/event.stream.js';
import { FeedbackChannels } from './coordinator/feedback.channels.js';
import { Database } from './database/database.js';
import { DatabasePing } from './database/database.ping.js';
import { DatabaseServer } from './database/database.server.js';
import { FeedbackLoop } from './feedback.loop.js';
import { DrainState } from './http/drain.state.js';
import { reasonOf } from './logging/error.text.js';

/** The part of the time that may go into writing what is queued; the rest is for closing. */
const DRAIN_SHARE = 0.75;
/** The part of the time for answers that are on their way, and the most of what is left. */
const ANSWER_SHARE = 0.1;
const ANSWER_SHARE_OF_REST = 0.4;
/** The part of what is left then for taking leave of the database, and the longest. One that hangs never answers. */
const FAREWELL_SHARE = 0.3;
const FAREWELL_MS = 0.5 * SECOND;
/** The part of what is left then for ending the embedded server. */
const SERVER_SHARE = 0.8;

/** Stops the parts in the order in which bars flow through them. Nest closes the HTTP server between the two steps. */
@Injectable()
export class ShutdownSequence implements BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger('shutdown');
  private answerGrace: NodeJS.Timeout | undefined;

  constructor(
    private readonly stop: StopRequest,
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
    // It may be closed for another reason than a signal.
    this.stop.make();
    this.logger.log(
      `shutting down: no new bars are taken, ${this.coordinator.load.queueSize} rows are queued`,
    );
    this.drain.start();
    this.loop.refuseWaiting();
    await this.coordinator.stop({ deadlineMs: this.stop.leftMs * DRAIN_SHARE });
    this.tellWhatStays();
    // Readers never hang up by themselves; the server would wait for them.
    this.stream.close();
    // A slow reader of an export would hold the server open until the time-out.
    const server = this.host.httpAdapter.getHttpServer() as Server;
    this.answerGrace = setTimeout(
      () => server.closeAllConnections(),
      Math.min(this.stop.timeoutMs * ANSWER_SHARE, this.stop.leftMs * ANSWER_SHARE_OF_REST),
    ).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.answerGrace);
    this.loop.stop();
    this.clock.stop();
    await this.channels.stop();
    const farewellMs = Math.min(FAREWELL_MS, this.stop.leftMs * FAREWELL_SHARE);
    await Promise.race([Promise.all([this.probe.close(), this.database.close()]), sleep(farewellMs)]);
    await this.server.stop(this.stop.leftMs * SERVER_SHARE);
    await this.directory.release();
    this.logger.log('stopped');
  }

  /** An operator who reads that all is written may remove the directory. */
  private tellWhatStays(): void {
    const { queueSize, circuitCause } = this.coordinator.snapshot();
    if (queueSize === 0) {
      this.logger.log('all queued rows are settled, none stays in the spool');
      return;
    }
    const why =
      circuitCause === undefined
        ? 'were not written in time'
        : `could not be written (${reasonOf(circuitCause)})`;
    this.logger.warn(`${queueSize} rows ${why}: they stay in the spool and are written at the next start`);
  }
}
