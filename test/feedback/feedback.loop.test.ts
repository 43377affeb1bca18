import 'reflect-metadata';

import { PassThrough } from 'node:stream';

import { afterEach, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';

import { readSettings } from '../../src/config/settings.js';
import { EventStream } from '../../src/coordinator/event.stream.js';
import {
  FeedbackBus,
  FeedbackEvent,
  LevelSignaller,
  parseFeedbackEvent,
} from '../../src/coordinator/index.js';
import type { RateAdjustment } from '../../src/core/index.js';
import { FeedbackLoop } from '../../src/feedback.loop.js';
import { feedbackParser } from '../../src/feedback.parser.js';
import { Metrics } from '../../src/metrics/metrics.catalogue.js';
import { FeedbackHandler, LevelAggregator, TokenBucketRateController } from '../../src/rate-control/index.js';
import { eventually } from '../support/eventually.js';

const NO_SIGNALS = { [Symbol.dispose]: () => undefined };
const endings: (() => void)[] = [];

afterEach(() => {
  for (const end of endings.splice(0)) end();
  register.clear();
});

/** A loop whose adjustments go where the test likes. */
function looped(apply: (adjustment: RateAdjustment) => Promise<void>, providers: string[]) {
  const bus = new FeedbackBus();
  const aggregator = new LevelAggregator();
  const handler = new FeedbackHandler({ controller: { apply }, providers, aggregator });
  const signaller = new LevelSignaller(
    {
      snapshot: () => ({
        coordinatorId: 'mine',
        queueSize: 0,
        capacity: 1,
        level: 'ok',
        circuitState: 'closed',
      }),
      onLevelChange: () => NO_SIGNALS,
      onCircuitChange: () => NO_SIGNALS,
    },
    bus,
  );
  const metrics = new Metrics();
  const stream = new EventStream();
  const loop = new FeedbackLoop(
    readSettings({}),
    signaller,
    bus,
    aggregator,
    handler,
    new TokenBucketRateController(),
    stream,
    metrics,
  );
  endings.push(() => {
    loop.stop();
    stream.close();
  });
  return { bus, metrics, stream };
}

const event = (level: 'ok' | 'soft' | 'hard') =>
  FeedbackEvent.create({ coordinator_id: 'other', queue_size: 1, capacity: 2, level });

describe('a rate controller that hangs', () => {
  it('for one provider keeps neither the bus nor the other providers from the next level', async () => {
    const applied: string[] = [];
    const { bus, metrics } = looped(
      ({ provider, scale }) => {
        applied.push(`${provider} ${scale}`);
        return provider === 'stuck' ? new Promise(() => undefined) : Promise.resolve();
      },
      ['stuck', 'ibkr'],
    );
    for (const level of ['soft', 'hard', 'ok'] as const) await bus.publish(event(level));
    expect(applied).toEqual(['stuck 0.5', 'ibkr 0.5', 'ibkr 0', 'ibkr 1']);
    const { values } = await metrics.feedbackEvents.get();
    expect(values.map(({ labels, value }) => [labels.level, value])).toEqual([
      ['ok', 1],
      ['soft', 1],
      ['hard', 1],
    ]);
  });
});

describe('the stream', () => {
  it('is sent no event that came after a newer one of its coordinator', async () => {
    const { bus, stream } = looped(() => Promise.resolve(), []);
    const reader = new PassThrough();
    stream.add(reader);
    for (const ts of [100, 99, 100, 101])
      await bus.publish(
        parseFeedbackEvent({ coordinator_id: 'c', queue_size: 1, capacity: 2, level: 'ok', ts }),
      );
    let text = '';
    reader.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await eventually('it has the last', () => text.includes('"ts":101'));
    expect([...text.matchAll(/"ts":(\d+)/g)].map(([, ts]) => ts)).toEqual(['100', '100', '101']);
  });
});

describe('events from elsewhere', () => {
  const whole = {
    coordinator_id: 'c',
    queue_size: 1,
    capacity: 2,
    level: 'soft',
    source: 'store',
    ts: 5,
    reason: 'soft_watermark',
  };

  it('are read alike in both modes when they are of Core or a store', () => {
    for (const useCoreContracts of [true, false]) {
      expect(feedbackParser(useCoreContracts)(whole)).toEqual(parseFeedbackEvent(whole));
      const { reason, ...core } = whole;
      expect(feedbackParser(useCoreContracts)(core)).not.toHaveProperty('reason', reason);
    }
  });

  it('may be older ones only where that is set, whatever such a one calls its reason', () => {
    expect(feedbackParser(false)({ level: 'HARD', reason: 7 })).toMatchObject({ level: 'hard' });
    expect(() => feedbackParser(true)({ level: 'HARD' })).toThrow('level');
    expect(() => feedbackParser(false)({ ...whole, reason: 'r'.repeat(257) })).toThrow('reason');
    expect(() => feedbackParser(false)(null)).toThrow('must be a JSON object');
  });
});
