import { afterEach, describe, expect, it } from '@jest/globals';

import {
  FeedbackBus,
  type FeedbackMessage,
  feedbackMessage,
  HttpFeedbackBroadcaster,
  RedisFeedbackPublisher,
  RedisFeedbackSubscriber,
} from '../../src/coordinator/index.js';
import { parseContract } from '../../src/core/contract.js';
import { FeedbackEvent as CoreFeedbackEvent } from '../../src/core/feedback.event.js';
import type { FeedbackPublisher } from '../../src/core/protocols.js';
import { startRedis } from '../support/redis.ts';
import { describeWith } from '../support/requirement.ts';
import { until } from './entries.js';
import { coreErrors, event } from './feedback.events.js';
import { FeedbackReceiver } from './feedback.receiver.js';

/** A publisher and its far side. */
interface Harness {
  readonly publisher: FeedbackPublisher;
  /** What arrived, as it was parsed there. */
  received(): readonly object[];
  /** Makes the far side fail from now on. */
  breakFarSide(): Promise<void>;
  close(): Promise<void>;
}

const harnesses: Harness[] = [];
afterEach(async () => {
  for (const harness of harnesses.splice(0)) await harness.close();
});

/** What the Core protocol FeedbackPublisher promises, whoever implements it. */
function conforms(open: () => Promise<Harness>): void {
  const opened = async (): Promise<Harness> => {
    const harness = await open();
    harnesses.push(harness);
    return harness;
  };
  const sizesOf = (harness: Harness, id = 'bars-1') =>
    harness
      .received()
      .map((document) => document as FeedbackMessage)
      .filter(({ coordinator_id }) => coordinator_id === id)
      .map(({ queue_size }) => queue_size);

  it('takes a whole event there, as Core knows it and with its reason', async () => {
    const harness = await opened();
    const sent = event(512, { level: 'hard', reason: 'high_watermark' });
    await harness.publisher.publish(sent);
    await until(() => harness.received().length === 1);
    const [received] = harness.received();
    expect(received).toMatchObject(feedbackMessage(sent));
    expect(coreErrors(received)).toEqual([]);
  });

  it('takes an event that is only one of Core', async () => {
    const harness = await opened();
    const sent = parseContract(CoreFeedbackEvent, {
      coordinator_id: 'bars-1',
      queue_size: 1,
      capacity: 4,
      level: 'ok',
      source: 'elsewhere',
      ts: 12.5,
    });
    await harness.publisher.publish(sent);
    await until(() => harness.received().length === 1);
    expect(harness.received()[0]).toMatchObject({
      queue_size: 1,
      source: 'elsewhere',
      ts: 12.5,
      utilization: 0.25,
    });
  });

  it('keeps the order of events, and brings the newest of each coordinator', async () => {
    const harness = await opened();
    for (let size = 1; size <= 50; size++) {
      void harness.publisher.publish(event(size));
      void harness.publisher.publish(event(1000 - size, { coordinator_id: 'bars-2' }));
    }
    await until(() => sizesOf(harness).includes(50) && sizesOf(harness, 'bars-2').includes(950));
    expect(sizesOf(harness)).toEqual(sizesOf(harness).toSorted((a, b) => a - b));
    expect(sizesOf(harness, 'bars-2')).toEqual(sizesOf(harness, 'bars-2').toSorted((a, b) => b - a));
  });

  it('does not change the event', async () => {
    const harness = await opened();
    const sent = event(3);
    const before = JSON.stringify(sent);
    await harness.publisher.publish(sent);
    await until(() => harness.received().length === 1);
    expect(JSON.stringify(sent)).toBe(before);
  });

  it('resolves soon and never rejects while the far side fails', async () => {
    const harness = await opened();
    await harness.breakFarSide();
    const start = performance.now();
    for (let size = 0; size < 20; size++) await harness.publisher.publish(event(size));
    // One that waited for the far side would take as long for each of them.
    expect(performance.now() - start).toBeLessThan(5_000);
  });
}

describe('FeedbackPublisher: FeedbackBus', () => {
  conforms(() => {
    const bus = new FeedbackBus(() => undefined);
    const received: object[] = [];
    let broken = false;
    bus.subscribe((event) => {
      if (broken) throw new Error('broken');
      received.push(feedbackMessage(event));
    });
    return Promise.resolve({
      publisher: bus,
      received: () => received,
      breakFarSide: () => Promise.resolve(void (broken = true)),
      close: () => Promise.resolve(),
    });
  });
});

describe('FeedbackPublisher: HttpFeedbackBroadcaster', () => {
  conforms(async () => {
    const receiver = await new FeedbackReceiver().open();
    const broadcaster = new HttpFeedbackBroadcaster({ endpoint: receiver.url, backoffMs: 10 });
    return {
      publisher: broadcaster,
      received: () => receiver.requests.map(({ event }) => event),
      breakFarSide: () => receiver.close(),
      close: async () => {
        await broadcaster.stop();
        await receiver.close();
      },
    };
  });
});

describeWith('redis-server', 'FeedbackPublisher: RedisFeedbackPublisher', () => {
  conforms(async () => {
    const redis = await startRedis();
    const received: object[] = [];
    const subscriber = new RedisFeedbackSubscriber({
      url: redis.url,
      channel: 'feedback',
      onEvent: (event) => received.push(feedbackMessage(event)),
    });
    const publisher = new RedisFeedbackPublisher({ url: redis.url, channel: 'feedback', origin: 'another' });
    subscriber.start();
    publisher.start();
    await until(() => [subscriber, publisher].every((part) => part.health().state === 'healthy'));
    return {
      publisher,
      received: () => received,
      breakFarSide: () => redis.kill(),
      close: async () => {
        await Promise.all([publisher.stop(), subscriber.stop()]);
        await redis.kill();
      },
    };
  });
});
