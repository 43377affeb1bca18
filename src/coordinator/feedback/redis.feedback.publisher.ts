import type { FeedbackEvent as CoreFeedbackEvent } from '../../core/feedback.event.js';
import type { FeedbackPublisher } from '../../core/protocols.js';
import { feedbackMessage } from './feedback.message.js';
import { NewestEvents } from './newest.events.js';
import type { ChannelHealth } from './outage.js';
import { PROCESS_ORIGIN } from './process.origin.js';
import { RedisConnection, type RedisClient, type RedisConnectionOptions } from './redis.connection.js';
import { FeedbackEvent } from './store.feedback.event.js';

const SECOND = 1000;

/** Settings of a RedisFeedbackPublisher. */
export interface RedisFeedbackPublisherOptions extends RedisConnectionOptions {
  readonly channel: string;
  /** Sent with every event, so that its sender knows it again; default: one for the process. */
  readonly origin?: string | undefined;
  /** Milliseconds from the return of Redis until the levels are sent a second time; default 5,000. */
  readonly heartbeatMs?: number | undefined;
}

/**
 * Publishes each event as JSON on a channel. While Redis is away only the newest event of each coordinator is kept;
 * when it is back the level of each is sent at once and again a heartbeat later, for a subscriber may need as long
 * to come back itself.
 */
export class RedisFeedbackPublisher implements FeedbackPublisher {
  private readonly connection: RedisConnection;
  private readonly origin: string;
  private readonly heartbeatMs: number;
  private readonly levels = new NewestEvents();
  private readonly waiting = new NewestEvents();
  private client: RedisClient | undefined;
  /** The client on which events are being sent: one that was cut must not keep its successor from sending. */
  private sendingOn: RedisClient | undefined;
  private repeat: NodeJS.Timeout | undefined;

  /** Throws a TypeError, without the address in it, when the URL is not one of a Redis. */
  constructor(private readonly options: RedisFeedbackPublisherOptions) {
    this.origin = options.origin ?? PROCESS_ORIGIN;
    this.heartbeatMs = options.heartbeatMs ?? 5 * SECOND;
    this.connection = new RedisConnection('to publish feedback', options, (client, afterOutage) =>
      this.resume(client, afterOutage),
    );
  }

  /** Begins to connect; a second call does nothing. */
  start(): void {
    this.connection.start();
  }

  /** Gives the connection up, and what waits with it; never waits for Redis. A second call does nothing. */
  async stop(): Promise<void> {
    await this.connection.stop();
    clearTimeout(this.repeat);
    this.client = undefined;
    this.waiting.clear();
  }

  /** Resolves at once, whatever becomes of the event. */
  publish(event: CoreFeedbackEvent): Promise<void> {
    const kept = FeedbackEvent.from(event);
    this.levels.put(kept);
    this.waiting.put(kept);
    this.sendSoon();
    return Promise.resolve();
  }

  /** Degraded while Redis cannot be reached or does not let us publish. */
  health(): ChannelHealth {
    return this.connection.health();
  }

  private async resume(client: RedisClient, afterOutage: boolean): Promise<void> {
    this.client = client;
    clearTimeout(this.repeat);
    if (afterOutage) this.repeatLevels();
    await this.send(client);
  }

  /** Now, and once more when those who listen have had time to come back too. */
  private repeatLevels(): void {
    this.queueLevels();
    this.repeat = setTimeout(() => {
      this.queueLevels();
      this.sendSoon();
    }, this.heartbeatMs).unref();
  }

  /** Delivered ones too: nobody knows who heard an event just before the connection was lost. */
  private queueLevels(): void {
    for (const event of this.levels.values()) this.waiting.put(event);
  }

  private sendSoon(): void {
    const { client } = this;
    if (!client) return;
    this.send(client).catch((cause: unknown) =>
      this.connection.replace(client, new Error(`could not publish on ${this.options.channel}`, { cause })),
    );
  }

  private async send(client: RedisClient): Promise<void> {
    if (this.sendingOn === client) return;
    this.sendingOn = client;
    try {
      for (let event = this.waiting.take(); event; event = this.waiting.take()) {
        await this.sendOne(client, event);
      }
    } finally {
      if (this.sendingOn === client) this.sendingOn = undefined;
    }
  }

  private async sendOne(client: RedisClient, event: FeedbackEvent): Promise<void> {
    const message = JSON.stringify({ ...feedbackMessage(event), origin: this.origin });
    try {
      await client.publish(this.options.channel, message);
    } catch (error) {
      this.waiting.restore(event);
      throw error;
    }
  }
}
