import type { Settings } from '../config/settings.js';
import type { FeedbackBus } from './feedback/feedback.bus.js';
import { HttpFeedbackBroadcaster } from './feedback/http.feedback.broadcaster.js';
import type { ChannelHealth, OutageLog } from './feedback/outage.js';
import { RedisFeedbackPublisher } from './feedback/redis.feedback.publisher.js';
import { RedisFeedbackSubscriber } from './feedback/redis.feedback.subscriber.js';
import type { FeedbackInbox } from './feedback.inbox.js';

/** The ways by which events leave and enter the process, as far as they are configured. */
export class FeedbackChannels {
  private readonly broadcaster: HttpFeedbackBroadcaster | undefined;
  private readonly publisher: RedisFeedbackPublisher | undefined;
  private readonly subscriber: RedisFeedbackSubscriber | undefined;
  private subscription: Disposable | undefined;

  constructor(
    private readonly settings: Settings,
    private readonly bus: FeedbackBus,
    inbox: FeedbackInbox,
    log: OutageLog,
  ) {
    const { http, redis, heartbeatMs } = settings.feedback;
    this.broadcaster = http && new HttpFeedbackBroadcaster({ ...http, heartbeatMs, log });
    this.publisher = redis?.publish
      ? new RedisFeedbackPublisher({ url: redis.url, channel: redis.channel, heartbeatMs, log })
      : undefined;
    this.subscriber = redis?.subscribe
      ? new RedisFeedbackSubscriber({
          url: redis.url,
          channel: redis.channel,
          log,
          parse: inbox.read,
          onEvent: (event) => inbox.take(event),
        })
      : undefined;
  }

  /** Opens the ways. */
  start(): void {
    this.publisher?.start();
    this.subscriber?.start();
    this.subscription ??= this.bus.subscribe(async (event) => {
      // What other stores sent is theirs to spread; sent on from here it would go round in circles.
      if (event.coordinator_id !== this.settings.coordinator.id) return;
      await Promise.all([this.broadcaster?.publish(event), this.publisher?.publish(event)]);
    });
  }

  /** How each configured way is. */
  health(): { readonly http?: ChannelHealth; readonly redis?: ChannelHealth } {
    const redis = [this.publisher, this.subscriber].flatMap((end) =>
      end === undefined ? [] : [end.health()],
    );
    const worst = redis.find(({ state }) => state !== 'healthy') ?? redis[0];
    return {
      ...(this.broadcaster === undefined ? {} : { http: this.broadcaster.health() }),
      ...(worst === undefined ? {} : { redis: worst }),
    };
  }

  /** Closes the ways; waits for nobody who does not answer. */
  async stop(): Promise<void> {
    this.subscription?.[Symbol.dispose]();
    this.subscription = undefined;
    await Promise.all([this.broadcaster?.stop(), this.publisher?.stop(), this.subscriber?.stop()]);
  }
}
