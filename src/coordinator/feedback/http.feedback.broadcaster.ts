import { unescape } from 'node:querystring';
import { setTimeout as sleep } from 'node:timers/promises';

import type { FeedbackEvent as CoreFeedbackEvent } from '../../core/feedback.event.js';
import type { FeedbackPublisher } from '../../core/protocols.js';
import { parseEndpoint } from './endpoint.url.js';
import { feedbackMessage } from './feedback.message.js';
import { postJson } from './json.post.js';
import { NewestEvents } from './newest.events.js';
import { Outage, type ChannelHealth, type OutageLog } from './outage.js';
import { FeedbackEvent } from './store.feedback.event.js';

const SECOND = 1000;

/** Settings of an HttpFeedbackBroadcaster. */
export interface HttpFeedbackBroadcasterOptions {
  /** An http or https URL; a user and password in it are sent as Basic authentication. */
  readonly endpoint: string;
  /** Sent as `Authorization: Bearer`, as another store wants it; not together with a user in the URL. */
  readonly token?: string | undefined;
  /** Milliseconds for one try; default 2,500. */
  readonly timeoutMs?: number | undefined;
  /** Tries in a row after which the endpoint counts as away; default 3. */
  readonly maxTries?: number | undefined;
  /** Milliseconds times the number of tries that failed: the wait before the next; default 500. */
  readonly backoffMs?: number | undefined;
  /** Upper bound of that wait in milliseconds; default 2,000. */
  readonly maxBackoffMs?: number | undefined;
  /** Milliseconds from an answer that refuses an event until the levels are sent again; default 5,000. */
  readonly heartbeatMs?: number | undefined;
  readonly log?: OutageLog | undefined;
}

/** What became of a try: `refused` is an answer that the same event would get again if it were sent at once. */
type Outcome =
  { readonly kind: 'delivered' } | { readonly kind: 'refused' | 'failed'; readonly cause: unknown };

/**
 * POSTs each event to an endpoint, one at a time; only the newest of each coordinator waits. An event that could not
 * be delivered is tried on until it is, or until a newer one takes its place. An endpoint that refuses one is sent the
 * level of each coordinator a heartbeat later, for it may be back when there is no further event.
 */
export class HttpFeedbackBroadcaster implements FeedbackPublisher {
  private readonly url: URL;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly timeoutMs: number;
  private readonly maxTries: number;
  private readonly backoffMs: number;
  private readonly maxBackoffMs: number;
  private readonly heartbeatMs: number;
  private readonly outage: Outage;
  private readonly levels = new NewestEvents();
  private readonly waiting = new NewestEvents();
  private readonly stopping = new AbortController();
  private delivering: Promise<void> | undefined;
  private repeat: NodeJS.Timeout | undefined;

  /**
   * Throws a TypeError, without address and token in it, when the endpoint is not an http or https URL, or has a user
   * beside the token.
   */
  constructor(options: HttpFeedbackBroadcasterOptions) {
    const url = parseEndpoint('the feedback endpoint', options.endpoint, ['http:', 'https:']);
    this.headers = authentication(url, options.token);
    // fetch refuses a URL with credentials.
    url.username = '';
    url.password = '';
    this.url = url;
    this.timeoutMs = options.timeoutMs ?? 2.5 * SECOND;
    this.maxTries = options.maxTries ?? 3;
    this.backoffMs = options.backoffMs ?? SECOND / 2;
    this.maxBackoffMs = options.maxBackoffMs ?? 2 * SECOND;
    this.heartbeatMs = options.heartbeatMs ?? 5 * SECOND;
    // The origin alone: the path and the query of a webhook are often its password.
    this.outage = new Outage(`feedback to ${url.origin} is not delivered`, options.log);
  }

  /** Resolves at once, whatever becomes of the event; after `stop` the event is ignored. */
  publish(event: CoreFeedbackEvent): Promise<void> {
    if (!this.stopping.signal.aborted) {
      const kept = FeedbackEvent.from(event);
      this.levels.put(kept);
      this.waiting.put(kept);
      this.delivering ??= this.deliver();
    }
    return Promise.resolve();
  }

  /** Degraded from the moment all tries have failed, or the endpoint refused an event, until one is delivered. */
  health(): ChannelHealth {
    return this.outage.health({ endpoint: this.url.origin });
  }

  /** Gives up what is under way and what waits, and resolves when it has; a second call does nothing. */
  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.repeat);
    this.waiting.clear();
    await this.delivering;
  }

  private async deliver(): Promise<void> {
    let failures = 0;
    for (let event = this.waiting.take(); event; event = this.waiting.take()) {
      const outcome = await this.try(event);
      if (this.stopping.signal.aborted) break;
      switch (outcome.kind) {
        case 'delivered':
          failures = 0;
          this.outage.end();
          break;
        case 'refused':
          failures = 0;
          this.outage.begin(outcome.cause);
          this.repeatLater();
          break;
        case 'failed':
          this.waiting.restore(event);
          failures++;
          if (failures >= this.maxTries) this.outage.begin(outcome.cause);
          await this.backOff(failures);
      }
    }
    this.delivering = undefined;
  }

  private repeatLater(): void {
    this.repeat ??= setTimeout(() => {
      this.repeat = undefined;
      for (const event of this.levels.values()) this.waiting.put(event);
      this.delivering ??= this.deliver();
    }, this.heartbeatMs).unref();
  }

  private async try(event: FeedbackEvent): Promise<Outcome> {
    const { url, headers, timeoutMs } = this;
    try {
      const body = JSON.stringify(feedbackMessage(event));
      const status = await postJson({ url, headers, body, timeoutMs, signal: this.stopping.signal });
      return outcomeOf(status);
    } catch (cause) {
      return { kind: 'failed', cause };
    }
  }

  private async backOff(failures: number): Promise<void> {
    const delayMs = Math.min(this.backoffMs * failures, this.maxBackoffMs);
    await sleep(delayMs, undefined, { signal: this.stopping.signal, ref: false }).catch(() => undefined);
  }
}

function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  if (status >= 300 && status < 400) {
    return { kind: 'failed', cause: new Error(`answered ${status}, and redirects are not followed`) };
  }
  const lasting = status >= 400 && status < 500 && status !== 408 && status !== 429;
  const hint = status === 401 || status === 403 ? ': it wants another token (MDS_FB_HTTP_TOKEN)' : '';
  return { kind: lasting ? 'refused' : 'failed', cause: new Error(`answered ${status}${hint}`) };
}

function authentication({ username, password }: URL, token: string | undefined): Record<string, string> {
  const hasUser = username !== '' || password !== '';
  if (token !== undefined) {
    if (hasUser) throw new TypeError('the feedback endpoint has both a user in its URL and a token');
    return { authorization: `Bearer ${token}` };
  }
  if (!hasUser) return {};
  const credentials = `${unescape(username)}:${unescape(password)}`;
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}
