import 'reflect-metadata';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import type { RateAdjustment, RateController } from '../../src/core/index.js';
import {
  FeedbackHandler,
  type FeedbackHandlerOptions,
  LevelAggregator,
  TokenBucketRateController,
} from '../../src/rate-control/index.js';
import { eventually } from '../support/eventually.js';
import { adjustment, event, settle } from './feedback.js';

/** A controller that takes its time: the test says when an apply is done, and how. */
class SlowController implements RateController {
  readonly begun: string[] = [];
  private readonly ends: { resolve: () => void; reject: (error: Error) => void }[] = [];

  apply({ provider, scale }: RateAdjustment): Promise<void> {
    this.begun.push(`${provider} ${scale}`);
    return new Promise((resolve, reject) => this.ends.push({ resolve, reject }));
  }

  async end(error?: Error): Promise<void> {
    const next = this.ends.shift();
    if (error) next?.reject(error);
    else next?.resolve();
    await settle();
  }
}

describe('FeedbackHandler with token buckets', () => {
  let controller: TokenBucketRateController;
  let changes: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    controller = new TokenBucketRateController();
    controller.register('ibkr', { refillRate: 100, burst: 50 });
    controller.register('polygon', { refillRate: 100, burst: 50 });
    changes = [];
    controller.onAdjustment(({ provider, scale, reason, ts }) =>
      changes.push(`${provider} ${scale} ${reason} ${ts}`),
    );
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  function handlerOf(providers: string[] | '*'): FeedbackHandler {
    return new FeedbackHandler({
      controller,
      providers,
      providersOf: () => controller.names(),
      aggregator: new LevelAggregator({ heartbeatMs: 1000 }),
      epochSeconds: () => 42.5,
    });
  }

  it('scales the named providers by policy when the level changes, and only then', async () => {
    const handler = handlerOf(['ibkr']);
    for (const level of ['ok', 'soft', 'soft', 'hard', 'hard', 'hard', 'ok', 'ok'] as const) {
      await handler.handle(event('store-1', level));
    }
    expect(changes).toEqual(['ibkr 0.5 soft 42.5', 'ibkr 0 hard 42.5', 'ibkr 1 ok 42.5']);
    expect(controller.entry('polygon')).toMatchObject({ scale: 1, pressure: 'ok' });
  });

  it('is in effect when handle has returned, even before its promise resolves', () => {
    void handlerOf(['ibkr']).handle(event('store-1', 'hard'));
    expect(controller.tryAcquire('ibkr', 1)).toMatchObject({ granted: false, reason: 'paused' });
  });

  it('keeps the provider at the hard scale until the last store that is hard recovers', async () => {
    const handler = handlerOf(['ibkr']);
    await handler.handle(event('store-1', 'hard'));
    await handler.handle(event('store-2', 'ok'));
    expect(controller.entry('ibkr')?.scale).toBe(0);
    await handler.handle(event('store-1', 'ok'));
    expect(controller.entry('ibkr')?.scale).toBe(1);
    expect(changes).toHaveLength(2);
  });

  it('lets the provider go again three heartbeats after the hard store died', async () => {
    const handler = handlerOf(['ibkr']);
    await handler.handle(event('store-1', 'hard'));
    await jest.advanceTimersByTimeAsync(2999);
    expect(controller.entry('ibkr')?.scale).toBe(0);
    await jest.advanceTimersByTimeAsync(1);
    expect(controller.entry('ibkr')).toMatchObject({ scale: 1, pressure: 'ok' });
    expect(handler.level).toBe('ok');
  });

  it('with * scales every registered provider, and a new one as soon as it is registered', async () => {
    const handler = handlerOf('*');
    controller.onRegistration(() => handler.refresh());
    await handler.handle(event('store-1', 'hard'));
    controller.register('late', { refillRate: 1, burst: 1 });
    expect(controller.tryAcquire('late', 1)).toMatchObject({ granted: false, reason: 'paused' });
    await handler.handle(event('store-1', 'ok'));
    expect(controller.entries().map(({ provider, scale }) => `${provider} ${scale}`)).toEqual([
      'ibkr 1',
      'polygon 1',
      'late 1',
    ]);
    expect(changes).toHaveLength(6);
  });

  it('gives a named provider that is registered later the scale of the present level', async () => {
    const handler = handlerOf(['late']);
    await handler.handle(event('store-1', 'soft'));
    controller.register('late', { refillRate: 1, burst: 1 });
    expect(controller.entry('late')).toMatchObject({ scale: 0.5, pressure: 'soft' });
  });

  it('leaves an adjustment by hand alone until the level changes', async () => {
    const handler = handlerOf(['ibkr']);
    await handler.handle(event('store-1', 'soft'));
    await controller.apply({ provider: 'ibkr', scale: 0.25, reason: 'soft', ts: 43 });
    await handler.handle(event('store-1', 'soft'));
    expect(controller.entry('ibkr')?.scale).toBe(0.25);
    await handler.handle(event('store-1', 'ok'));
    expect(controller.entry('ibkr')?.scale).toBe(1);
  });

  it('goes by the policy it is given, from the start', async () => {
    const handler = new FeedbackHandler({
      controller,
      providers: ['ibkr'],
      policy: { ok: 0.9, hard: 0.1 },
    });
    await handler.refresh();
    expect(controller.entry('ibkr')).toMatchObject({ scale: 0.9, pressure: 'ok' });
    await handler.handle(event('store-1', 'soft'));
    expect(controller.entry('ibkr')?.scale).toBe(0.5);
    await handler.handle(event('store-1', 'hard'));
    expect(controller.entry('ibkr')?.scale).toBe(0.1);
    expect(() => new FeedbackHandler({ controller, providers: [], policy: { soft: 1.5 } })).toThrow(
      RangeError,
    );
  });

  it('no longer acts on expiries once it is disposed of', async () => {
    const handler = handlerOf(['ibkr']);
    await handler.handle(event('store-1', 'hard'));
    handler[Symbol.dispose]();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(controller.entry('ibkr')?.scale).toBe(0);
  });
});

describe('FeedbackHandler and a provider that lost its entry', () => {
  let controller: TokenBucketRateController;
  let handler: FeedbackHandler;
  let told: string[];

  beforeEach(() => {
    controller = new TokenBucketRateController({ maxMet: 1 });
    handler = new FeedbackHandler({
      controller,
      providers: '*',
      providersOf: () => controller.scaled(),
    });
    controller.onRegistration((provider) => handler.follow(provider));
    controller.onLoss((provider) => handler.forget(provider));
    told = [];
    controller.onAdjustment(({ provider, scale }) => told.push(`${provider} ${scale}`));
    controller.meet('ibkr');
  });
  afterEach(() => handler[Symbol.dispose]());

  /** One entry is all there is: whatever is met by order takes it. */
  const takeEntry = async (provider: string) => {
    controller.meetForOrder(provider);
    await settle();
  };

  it('gives it the level that holds when it is met again', async () => {
    await takeEntry('polygon');
    await handler.handle(event('a', 'hard'));
    expect(told).toEqual(['polygon 0']);
    await takeEntry('ibkr');
    expect([told, controller.entry('ibkr')?.scale]).toEqual([['polygon 0', 'ibkr 0'], 0]);
  });

  it('releases it when the level falls, though it has no entry', async () => {
    await handler.handle(event('a', 'hard'));
    await takeEntry('polygon');
    expect(told).toEqual(['ibkr 0', 'polygon 0']);
    await handler.handle(event('a', 'ok'));
    expect(told.slice(2)).toEqual(['polygon 1', 'ibkr 1']);
  });

  it('leaves it the scale that somebody gave it until the level changes', async () => {
    await handler.handle(event('a', 'soft'));
    await controller.apply(adjustment('ibkr', 0.25));
    await takeEntry('polygon');
    await handler.handle(event('a', 'soft'));
    await takeEntry('ibkr');
    expect(controller.entry('ibkr')?.scale).toBe(0.25);
    await handler.handle(event('a', 'hard'));
    expect(controller.entry('ibkr')?.scale).toBe(0);
  });

  it('gives it the level anew when its scale was not kept either', async () => {
    await handler.handle(event('a', 'hard'));
    for (const name of ['polygon', 'tiingo']) await takeEntry(name);
    expect(told).toEqual(['ibkr 0', 'polygon 0', 'tiingo 0', 'ibkr 1']);
    await takeEntry('ibkr');
    expect(controller.entry('ibkr')?.scale).toBe(0);
    expect(told.slice(4)).toEqual(['ibkr 0', 'polygon 1']);
  });
});

describe('FeedbackHandler with a controller that is slow or fails', () => {
  const handlers: FeedbackHandler[] = [];
  afterEach(() => {
    for (const handler of handlers.splice(0)) handler[Symbol.dispose]();
  });

  function handlerOf(options: FeedbackHandlerOptions): FeedbackHandler {
    const handler = new FeedbackHandler(options);
    handlers.push(handler);
    return handler;
  }

  it('tells one change after the other, and leaves out those that were overtaken', async () => {
    const controller = new SlowController();
    const handler = handlerOf({ controller, providers: ['ibkr'] });
    void handler.handle(event('a', 'soft'));
    void handler.handle(event('a', 'hard'));
    void handler.handle(event('a', 'ok'));
    expect(controller.begun).toEqual(['ibkr 0.5']);
    await controller.end();
    expect(controller.begun).toEqual(['ibkr 0.5', 'ibkr 1']);
    void handler.handle(event('a', 'hard'));
    void handler.handle(event('a', 'ok'));
    await controller.end();
    expect(controller.begun).toEqual(['ibkr 0.5', 'ibkr 1']);
  });

  it('gives one that is new the level that holds, unless it does not follow the level', async () => {
    const controller = new SlowController();
    const every = handlerOf({ controller, providers: '*', providersOf: () => [] });
    void every.handle(event('a', 'hard'));
    void every.follow('ibkr');
    expect(controller.begun).toEqual(['ibkr 0']);
    await controller.end();
    const some = handlerOf({ controller, providers: ['polygon'] });
    void some.follow('ibkr');
    expect(controller.begun).toEqual(['ibkr 0']);
  });

  it('does not let one provider wait for another', async () => {
    const controller = new SlowController();
    const handler = handlerOf({ controller, providers: ['stuck', 'ibkr'], onError: () => undefined });
    void handler.handle(event('a', 'hard'));
    expect(controller.begun).toEqual(['stuck 0', 'ibkr 0']);
    await controller.end(new Error('down'));
    await controller.end();
    void handler.handle(event('a', 'ok'));
    expect(controller.begun.slice(2)).toEqual(['stuck 1', 'ibkr 1']);
  });

  it('reports a failure, keeps it from the sender, and tries that provider again with the next heartbeat', async () => {
    const controller = new SlowController();
    const failures: string[] = [];
    const handler = handlerOf({
      controller,
      providers: ['bad', 'good'],
      onError: (error, { provider, scale }) => failures.push(`${String(error)} ${provider} ${scale}`),
    });
    const handled = handler.handle(event('a', 'hard'));
    await controller.end(new Error('down'));
    await controller.end();
    await handled;
    expect(failures).toEqual(['Error: down bad 0']);
    void handler.handle(event('a', 'hard'));
    expect(controller.begun).toEqual(['bad 0', 'good 0', 'bad 0']);
  });

  it('tries again by itself, for coordinators that are ok fall silent', async () => {
    const controller = new SlowController();
    const handler = handlerOf({ controller, providers: ['ibkr'], onError: () => undefined, retryMs: 20 });
    void handler.handle(event('a', 'ok'));
    await controller.end(new Error('down'));
    expect(controller.begun).toEqual(['ibkr 1']);
    await eventually('it is tried again', () => controller.begun.length === 2);
    expect(controller.begun).toEqual(['ibkr 1', 'ibkr 1']);
    await controller.end();
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(controller.begun).toHaveLength(2);
  });

  it('goes on to the newest level after a failure, and does not trust the level before it', async () => {
    const controller = new SlowController();
    const handler = handlerOf({ controller, providers: ['ibkr'], onError: () => undefined });
    void handler.handle(event('a', 'ok'));
    await controller.end();
    void handler.handle(event('a', 'hard'));
    void handler.handle(event('a', 'ok'));
    await controller.end(new Error('half done'));
    expect(controller.begun).toEqual(['ibkr 1', 'ibkr 0', 'ibkr 1']);
  });

  it('survives a controller that throws at once and an error callback that throws too', async () => {
    const warnings = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const callbackError = new Error('callback');
    const handler = handlerOf({
      controller: {
        apply: () => {
          throw new Error('at once');
        },
      },
      providers: ['ibkr'],
      onError: () => {
        throw callbackError;
      },
    });
    await handler.handle(event('a', 'hard'));
    expect(warnings.mock.calls.map(([warning]) => warning)).toEqual([callbackError]);
    warnings.mockRestore();
  });
});
