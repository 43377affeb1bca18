import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createClient } from 'redis';

import {
  RedisFeedbackPublisher,
  type RedisFeedbackPublisherOptions,
  RedisFeedbackSubscriber,
  type RedisFeedbackSubscriberOptions,
  WriteCoordinator,
  LevelSignaller,
} from '../../src/coordinator/index.js';
import type { FeedbackEvent } from '../../src/core/feedback.event.js';
import { freePort, startRedis, type TestRedis } from '../support/redis.ts';
import { describeWith } from '../support/requirement.ts';
import { entry, type NamedEntry, until } from './entries.js';
import { coreErrors, event, remembered } from './feedback.events.js';
import { ScriptedSink } from './scripted.sink.js';

const CHANNEL = 'feedback';
const HEARTBEAT_MS = 2000;

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const isHealthy = (part: { health(): { state: string } }) => () => part.health().state === 'healthy';

/** A started publisher with short times, of another process than the subscribers. */
function publishing(url: string, options: Partial<RedisFeedbackPublisherOptions> = {}) {
  const { log, warnings, news } = remembered();
  const times = { heartbeatMs: HEARTBEAT_MS, maxBackoffMs: 200, pingMs: 200 };
  const publisher = new RedisFeedbackPublisher({
    url,
    channel: CHANNEL,
    origin: 'another',
    log,
    ...times,
    ...options,
  });
  publisher.start();
  endings.push(() => publisher.stop());
  return { publisher, warnings, news };
}

/** A started subscriber that keeps what it hears. */
function subscribing(url: string, options: Partial<RedisFeedbackSubscriberOptions> = {}) {
  const { log, warnings } = remembered();
  const events: FeedbackEvent[] = [];
  const subscriber = new RedisFeedbackSubscriber({
    url,
    channel: CHANNEL,
    onEvent: (event) => events.push(event),
    log,
    maxBackoffMs: 200,
    pingMs: 200,
    ...options,
  });
  subscriber.start();
  endings.push(() => subscriber.stop());
  return { subscriber, events, warnings, sizes: () => events.map(({ queue_size }) => queue_size) };
}

/** A client of the test's own, to look and to disturb. */
async function connected(url: string) {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  client.on('error', () => undefined);
  await client.connect();
  endings.push(() => {
    client.destroy();
    return Promise.resolve();
  });
  return client;
}

describeWith('redis-server', 'feedback through Redis', () => {
  let redis: TestRedis;
  beforeEach(async () => {
    redis = await startRedis();
    endings.push(() => redis.kill());
  });

  it('is the event as JSON with reason, utilization and origin, in a form that Core reads', async () => {
    const messages: Record<string, unknown>[] = [];
    const listener = await connected(redis.url);
    await listener.subscribe(CHANNEL, (message) => {
      messages.push(JSON.parse(message) as Record<string, unknown>);
    });
    const { publisher } = publishing(redis.url);
    await until(isHealthy(publisher));
    const sent = event(800, { level: 'hard', reason: 'high_watermark' });
    await publisher.publish(sent);
    await until(() => messages.length === 1);
    expect(messages[0]).toEqual({
      coordinator_id: 'bars-1',
      queue_size: 800,
      capacity: 1000,
      level: 'hard',
      source: 'store',
      ts: sent.ts,
      reason: 'high_watermark',
      utilization: 0.8,
      origin: 'another',
    });
    expect(coreErrors(messages[0])).toEqual([]);
  });

  it('reaches a subscriber as events, and not the process that published them', async () => {
    const other = subscribing(redis.url);
    const own = subscribing(redis.url, { origin: 'another' });
    const { publisher } = publishing(redis.url);
    await until(isHealthy(other.subscriber));
    await until(isHealthy(own.subscriber));
    await until(isHealthy(publisher));
    await publisher.publish(event(1, { reason: null }));
    await until(() => own.subscriber.counts.own >= 1 && other.events.length >= 1);
    expect(other.events[0]).toMatchObject({ queue_size: 1, level: 'soft', reason: null });
    expect(own.events).toEqual([]);
  });

  it('knows the events of its own process without being told', async () => {
    const { subscriber } = subscribing(redis.url);
    const { publisher } = publishing(redis.url, { origin: undefined });
    await until(isHealthy(subscriber));
    await publisher.publish(event(1));
    await until(() => subscriber.counts.own >= 1);
    expect(subscriber.counts.accepted).toBe(0);
  });

  it('counts what is no event and goes on, whatever its callback does', async () => {
    const errors: unknown[] = [];
    const heard: number[] = [];
    const { subscriber } = subscribing(redis.url, {
      onEvent: ({ queue_size }) => {
        heard.push(queue_size);
        throw new Error('callback');
      },
      onError: (error) => errors.push(error),
    });
    await until(isHealthy(subscriber));
    const client = await connected(redis.url);
    const valid = { coordinator_id: 'core', queue_size: 1, capacity: 2, level: 'hard', ts: 1 };
    const messages = [
      'no json',
      'null',
      '[]',
      '"hard"',
      '{}',
      JSON.stringify({ ...valid, level: 'HARD' }),
      JSON.stringify({ ...valid, padding: 'x'.repeat(70_000) }),
      JSON.stringify(valid),
      JSON.stringify({ ...valid, queue_size: 2, unknown: true }),
    ];
    for (const message of messages) await client.publish(CHANNEL, message);
    await until(() => heard.length === 2);
    expect(heard).toEqual([1, 2]);
    expect(errors).toHaveLength(2);
    expect(subscriber.counts).toEqual({ accepted: 2, invalid: 7, own: 0 });
  });

  it('takes older events when it is given their parser', async () => {
    const older = (document: unknown) => {
      const { level } = document as { level: string };
      return event(7, { level: level.toLowerCase() as 'hard' });
    };
    const { subscriber, events } = subscribing(redis.url, { parse: older });
    await until(isHealthy(subscriber));
    const client = await connected(redis.url);
    await client.publish(CHANNEL, '{"level":"HARD"}');
    await client.publish(CHANNEL, '{"level":1}');
    await until(() => subscriber.counts.invalid === 1);
    expect(events).toMatchObject([{ level: 'hard', queue_size: 7 }]);
  });

  it('tells a subscriber ok within two heartbeats of the return of a Redis that was killed at hard', async () => {
    const { subscriber, events, warnings: subscriberWarnings } = subscribing(redis.url);
    const { publisher, warnings, news } = publishing(redis.url);
    await until(isHealthy(subscriber));
    await until(isHealthy(publisher));
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const coordinator = new WriteCoordinator<NamedEntry, string>({
      id: 'bars-1',
      capacity: 100,
      workers: 1,
      batchSize: 10,
      flushIntervalMs: 0,
      sink: new ScriptedSink(() => released),
    });
    coordinator.start();
    endings.push(() => coordinator.stop({ deadlineMs: 0 }));
    const signaller = new LevelSignaller(coordinator, publisher, { heartbeatMs: HEARTBEAT_MS });
    signaller.start();
    endings.push(() => {
      signaller.stop();
      return Promise.resolve();
    });

    const submits = Array.from({ length: 90 }, (_, id) => coordinator.submit(entry(id)));
    await until(() => events.at(-1)?.level === 'hard');
    await redis.kill();
    await until(() => publisher.health().state === 'degraded');
    release();
    await Promise.all(submits);
    // Long enough for the heartbeat after ok to be lost too.
    await pause(1.5 * HEARTBEAT_MS);
    expect(events.at(-1)?.level).toBe('hard');
    await redis.start();
    const back = performance.now();
    await until(() => events.at(-1)?.level === 'ok');
    expect(performance.now() - back).toBeLessThan(2 * HEARTBEAT_MS);
    await until(isHealthy(publisher));
    expect([warnings, news, subscriberWarnings].map(({ length }) => length)).toEqual([1, 1, 1]);
  });

  it('sends a level again at once when its connection was cut, for nobody knows who heard it', async () => {
    const { subscriber, sizes } = subscribing(redis.url);
    const { publisher } = publishing(redis.url, { heartbeatMs: 3_600_000 });
    await until(isHealthy(subscriber));
    await until(isHealthy(publisher));
    await publisher.publish(event(1));
    await until(() => sizes().length === 1);
    const admin = await connected(redis.url);
    await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']);
    await until(() => sizes().length === 2);
    expect(sizes()).toEqual([1, 1]);
  });

  it('sends the level a second time for a subscriber that comes back later than the publisher', async () => {
    const { publisher } = publishing(redis.url);
    await until(isHealthy(publisher));
    await publisher.publish(event(10, { level: 'ok', reason: 'queue_recovered' }));
    await redis.kill();
    await until(() => publisher.health().state === 'degraded');
    await redis.start();
    await until(isHealthy(publisher));
    const late = subscribing(redis.url);
    await until(() => late.events.length === 1);
    expect(late.events).toMatchObject([{ level: 'ok', queue_size: 10 }]);
  });

  it('replaces a connection on which Redis has stopped to answer', async () => {
    const { subscriber, events } = subscribing(redis.url);
    const { publisher } = publishing(redis.url);
    await until(isHealthy(subscriber));
    await until(isHealthy(publisher));
    redis.process.kill('SIGSTOP');
    try {
      await publisher.publish(event(1, { level: 'hard' }));
      await until(() => publisher.health().state === 'degraded');
      await until(() => subscriber.health().state === 'degraded');
      expect(publisher.health().details['message']).toContain('said nothing');
      await publisher.publish(event(2, { level: 'ok' }));
    } finally {
      redis.process.kill('SIGCONT');
    }
    await until(() => events.at(-1)?.level === 'ok');
    await until(isHealthy(subscriber));
  });
});

describeWith('redis-server', 'a Redis that asks for a password', () => {
  it('is used with the one in the URL, and with a wrong one is degraded without telling it', async () => {
    const redis = await startRedis({ password: 'right-secret' });
    endings.push(() => redis.kill());
    const { subscriber, sizes } = subscribing(redis.url);
    const right = publishing(redis.url);
    const wrong = publishing(redis.url.replace('right-secret', 'wrong-secret'));
    await until(isHealthy(subscriber));
    await right.publisher.publish(event(1));
    await wrong.publisher.publish(event(2));
    await until(() => sizes().includes(1));
    await until(() => wrong.publisher.health().state === 'degraded' && wrong.warnings.length === 1);
    await pause(500);
    expect(sizes()).not.toContain(2);
    expect(wrong.warnings).toHaveLength(1);
    expect(wrong.publisher.health().details['message']).toContain('WRONGPASS');
    expect(JSON.stringify([wrong.warnings, wrong.publisher.health()])).not.toContain('secret');
  });

  it('is degraded, and spoken of once, while it forbids to publish', async () => {
    const redis = await startRedis({ password: 'right-secret' });
    endings.push(() => redis.kill());
    const admin = await connected(redis.url);
    await admin.sendCommand(['ACL', 'SETUSER', 'limited', 'on', '>limited-secret', '+@all', '-publish']);
    const { publisher, warnings } = publishing(redis.url.replace(':right-secret', 'limited:limited-secret'));
    await until(isHealthy(publisher));
    await publisher.publish(event(1));
    await until(() => publisher.health().state === 'degraded');
    await pause(600);
    expect(publisher.health().details['message']).toContain('NOPERM');
    expect(warnings).toHaveLength(1);
    const { events } = subscribing(redis.url);
    await admin.sendCommand(['ACL', 'SETUSER', 'limited', '+publish', 'allchannels']);
    await until(() => events.length > 0);
    await until(isHealthy(publisher));
  });
});

describe('a Redis that is away', () => {
  it('keeps neither publish nor stop waiting, and of 10,000 events the newest', async () => {
    const port = await freePort();
    const { publisher, warnings } = publishing(`redis://127.0.0.1:${port}`);
    const { subscriber } = subscribing(`redis://127.0.0.1:${port}`);
    const one = event(1);
    const start = performance.now();
    for (let i = 0; i < 10_000; i++) await publisher.publish(one);
    expect(performance.now() - start).toBeLessThan(5_000);
    await until(() => warnings.length === 1);
    await pause(500);
    expect(warnings).toHaveLength(1);
    expect(publisher.health()).toMatchObject({
      state: 'degraded',
      details: { redis: `127.0.0.1:${port}`, message: expect.stringContaining('ECONNREFUSED') },
    });
    const stop = performance.now();
    await Promise.all([publisher.stop(), publisher.stop(), subscriber.stop()]);
    // An attempt to connect may take 2 s, and is not waited for.
    expect(performance.now() - stop).toBeLessThan(1_500);
  });

  it('must have a redis URL, which is not told when it has not', () => {
    for (const url of ['http://secret@host', 'secret', '', 'redis://:%secret@host', 'redis://host/secret']) {
      const make = () => new RedisFeedbackPublisher({ url, channel: CHANNEL });
      expect(make).toThrow(TypeError);
      expect(make).not.toThrow(/secret/);
    }
  });
});

describeWith('redis-server', 'the wait before connecting again', () => {
  it('is short after a long outage that is over', async () => {
    // The shortest waits of all that may be drawn, so that many tries fail at once.
    const random = jest.spyOn(Math, 'random').mockReturnValue(0);
    endings.push(() => {
      random.mockRestore();
      return Promise.resolve();
    });
    const redis = await startRedis();
    endings.push(() => redis.kill());
    await redis.kill();
    const { publisher } = publishing(redis.url, { maxBackoffMs: 3_600_000 });
    await until(() => random.mock.calls.length >= 20);
    await redis.start();
    await until(isHealthy(publisher));
    // The longest: as after twenty failures it would be an hour.
    random.mockReturnValue(0.999);
    await redis.kill();
    await until(() => publisher.health().state === 'degraded');
    await redis.start();
    await until(isHealthy(publisher));
  });
});
