import type { FeedbackEvent as CoreFeedbackEvent } from '../../core/feedback.event.js';
import { callGuarded, warn } from '../guarded.call.js';
import type { Listener } from '../guarded.listeners.js';
import type { ChannelHealth } from './outage.js';
import { PROCESS_ORIGIN } from './process.origin.js';
import { RedisConnection, type RedisConnectionOptions } from './redis.connection.js';
import { parseFeedbackEvent } from './store.feedback.event.js';

/** Longer messages are none of ours, and not worth the time to read. */
const MOST_MESSAGE_CHARACTERS = 64 * 1024;

/** Settings of a RedisFeedbackSubscriber. */
export interface RedisFeedbackSubscriberOptions extends RedisConnectionOptions {
  readonly channel: string;
  /** Hears every valid event of others; a promise it returns is not waited for. */
  readonly onEvent: Listener<CoreFeedbackEvent>;
  /** Makes an event of a parsed message or throws; default parseFeedbackEvent. */
  readonly parse?: ((document: unknown) => CoreFeedbackEvent) | undefined;
  /** Messages with this origin are our own; default: that of the process. */
  readonly origin?: string | undefined;
  /** Gets what `onEvent` throws or rejects with; default: a process warning. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Messages since the construction. */
export interface SubscriberCounts {
  /** Handed to the callback. */
  readonly accepted: number;
  /** Ignored because they were no events. */
  readonly invalid: number;
  /** Ignored because this process had published them. */
  readonly own: number;
}

/** Hears the events that other stores publish on a Redis channel. */
export class RedisFeedbackSubscriber {
  private readonly connection: RedisConnection;
  private readonly parse: (document: unknown) => CoreFeedbackEvent;
  private readonly origin: string;
  private readonly seen = { accepted: 0, invalid: 0, own: 0 };

  /** Throws a TypeError, without the address in it, when the URL is not one of a Redis. */
  constructor(private readonly options: RedisFeedbackSubscriberOptions) {
    this.parse = options.parse ?? parseFeedbackEvent;
    this.origin = options.origin ?? PROCESS_ORIGIN;
    this.connection = new RedisConnection('to hear feedback', options, (client) =>
      client.subscribe(options.channel, (message) => this.receive(message)),
    );
  }

  /** What came in so far. */
  get counts(): SubscriberCounts {
    return { ...this.seen };
  }

  /** Begins to connect; a second call does nothing. */
  start(): void {
    this.connection.start();
  }

  /** Gives the subscription up; never waits for Redis. A second call does nothing. */
  async stop(): Promise<void> {
    await this.connection.stop();
  }

  /** Degraded while the channel is not subscribed to. */
  health(): ChannelHealth {
    return this.connection.health();
  }

  private receive(message: string): void {
    const event = this.read(message);
    if (event === 'own' || event === 'invalid') {
      this.seen[event]++;
      return;
    }
    this.seen.accepted++;
    callGuarded(() => this.options.onEvent(event), this.options.onError ?? warn);
  }

  private read(message: string): CoreFeedbackEvent | 'own' | 'invalid' {
    if (message.length > MOST_MESSAGE_CHARACTERS) return 'invalid';
    try {
      const document: unknown = JSON.parse(message);
      return originOf(document) === this.origin ? 'own' : this.parse(document);
    } catch {
      return 'invalid';
    }
  }
}

function originOf(document: unknown): unknown {
  return typeof document === 'object' && document !== null && 'origin' in document
    ? document.origin
    : undefined;
}
