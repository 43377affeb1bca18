import { setTimeout as sleep } from 'node:timers/promises';

import { createClient } from 'redis';

import { RetryPolicy } from '../retry.policy.js';
import { Waiter } from '../waiter.js';
import { parseEndpoint } from './endpoint.url.js';
import { Outage, type ChannelHealth, type OutageLog } from './outage.js';

const SECOND = 1000;

/** Milliseconds for a connection, or an answer to a ping. */
const ANSWER_MS = 2 * SECOND;

/** A client of the package `redis`. */
export type RedisClient = ReturnType<typeof newClient>;

/** Where a Redis is and what is said of it. */
export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`, with user, password and database where needed. */
  readonly url: string;
  /** Upper bound of the wait before connecting again in milliseconds; default 1,000. */
  readonly maxBackoffMs?: number | undefined;
  /** Milliseconds from one sign of life to the next; default 2,000. */
  readonly pingMs?: number | undefined;
  readonly log?: OutageLog | undefined;
}

/** The server took the connection or the command and then said nothing. */
export class RedisSilentError extends Error {
  override readonly name = 'RedisSilentError';

  constructor(readonly timeoutMs: number) {
    super(`Redis said nothing for ${timeoutMs} ms`);
  }
}

/**
 * Keeps one connection to a Redis up for as long as it runs: what fails is given up, and replaced after a wait that
 * grows and is drawn at random. A new client each time, and our own pings: the package's client waits for ever for a
 * server that has stopped answering.
 */
export class RedisConnection {
  private readonly url: URL;
  private readonly retry: RetryPolicy;
  private readonly pingMs: number;
  private readonly outage: Outage;
  private run: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  private current: { readonly client: RedisClient; readonly cut: Waiter<void> } | undefined;
  private connected = false;

  /**
   * `prepare` makes a new connection useful; when it fails the connection counts as away. Throws a TypeError, without
   * the address in it, when the URL is not one of a Redis.
   */
  constructor(
    purpose: string,
    options: RedisConnectionOptions,
    private readonly prepare: (client: RedisClient, afterOutage: boolean) => Promise<unknown>,
  ) {
    this.url = parseEndpoint('the address of Redis', options.url, ['redis:', 'rediss:']);
    assertUsable(this.url);
    const maxBackoffMs = options.maxBackoffMs ?? SECOND;
    this.retry = new RetryPolicy({ initialBackoffMs: Math.min(100, maxBackoffMs), maxBackoffMs });
    this.pingMs = options.pingMs ?? 2 * SECOND;
    this.outage = new Outage(`Redis at ${this.url.host} cannot be used ${purpose}`, options.log);
  }

  /** Begins to connect; a second call does nothing. */
  start(): void {
    if (this.run) return;
    const abort = new AbortController();
    this.run = { abort, ended: this.keepUp(abort.signal) };
  }

  /** Gives the connection up, at once and without waiting for the server; a second call does nothing. */
  async stop(): Promise<void> {
    const run = this.run;
    this.run = undefined;
    run?.abort.abort(new Error('stopped'));
    await run?.ended;
  }

  /** Gives up the connection of this client, unless that has been done already, and connects anew. */
  replace(client: RedisClient, cause: Error): void {
    if (this.current?.client === client) this.current.cut.reject(cause);
  }

  /** Degraded unless a connection is up and prepared. */
  health(): ChannelHealth {
    const health = this.outage.health({ redis: this.url.host });
    if (health.state === 'degraded' || this.connected) return health;
    const message = this.run ? 'not connected yet' : 'not started';
    return { state: 'degraded', details: { ...health.details, message } };
  }

  private async keepUp(signal: AbortSignal): Promise<void> {
    const stopped = () => signal.aborted;
    let failures = 0;
    while (!stopped()) {
      try {
        await this.connect(signal, () => (failures = 0));
      } catch (error) {
        if (!stopped()) this.outage.begin(error);
      }
      failures++;
      const delayMs = this.retry.delayMs(failures);
      await sleep(delayMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Rejects when the connection has ended, for whatever reason. */
  private async connect(signal: AbortSignal, onReady: () => void): Promise<void> {
    const cut = new Waiter<void>(signal);
    const client = newClient(this.url);
    client.on('error', (error: Error) => cut.reject(error));
    this.current = { client, cut };
    try {
      await Promise.race([cut.promise, within(2 * ANSWER_MS, this.bringUp(client))]);
      this.connected = true;
      this.outage.end();
      onReady();
      await Promise.race([cut.promise, this.watch(client, signal)]);
    } finally {
      this.connected = false;
      // Takes the waiter off the signal, which outlives it.
      cut.resolve();
      client.destroy();
    }
  }

  private async bringUp(client: RedisClient): Promise<void> {
    await client.connect();
    await this.prepare(client, this.outage.isOn);
  }

  private async watch(client: RedisClient, signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.pingMs, undefined, { signal, ref: false });
      await within(ANSWER_MS, client.ping());
    }
  }
}

function newClient(url: URL) {
  return createClient({
    url: url.href,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    socket: { connectTimeout: ANSWER_MS, reconnectStrategy: false },
  });
}

/** Found out now, and not anew at each attempt to connect. */
function assertUsable(url: URL): void {
  try {
    newClient(url).destroy();
  } catch (cause) {
    throw new TypeError('the address of Redis has a user, password or database that cannot be read', {
      cause,
    });
  }
}

function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  const limit = new Waiter<T>();
  const timer = setTimeout(() => limit.reject(new RedisSilentError(timeoutMs)), timeoutMs);
  return Promise.race([work, limit.promise]).finally(() => clearTimeout(timer));
}
