import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import { type CircuitChange, LevelSignaller, type SignalSource } from '../../src/coordinator/index.js';
import type { LevelChange } from '../../src/coordinator/queue.options.js';
import type { BackpressureLevel } from '../../src/core/backpressure.level.js';
import type { FeedbackEvent } from '../../src/core/feedback.event.js';

const HEARTBEAT_MS = 1000;

/** A coordinator that the test puts where it likes. */
class StubCoordinator implements SignalSource {
  private level: BackpressureLevel = 'ok';
  private circuitState: CircuitChange['state'] = 'closed';
  private readonly levels = new Set<(change: LevelChange) => unknown>();
  private readonly circuits = new Set<(change: CircuitChange) => unknown>();

  snapshot() {
    const { level, circuitState } = this;
    return { coordinatorId: 'bars-1', queueSize: 7, capacity: 10, level, circuitState };
  }

  onLevelChange(listener: (change: LevelChange) => unknown): Disposable {
    this.levels.add(listener);
    return { [Symbol.dispose]: () => void this.levels.delete(listener) };
  }

  onCircuitChange(listener: (change: CircuitChange) => unknown): Disposable {
    this.circuits.add(listener);
    return { [Symbol.dispose]: () => void this.circuits.delete(listener) };
  }

  moveTo(level: BackpressureLevel, reason: LevelChange['reason']): void {
    this.level = level;
    for (const listener of this.levels) listener({ level, reason, size: 7, capacity: 10 });
  }

  turn(state: CircuitChange['state']): void {
    const previous = this.circuitState;
    this.circuitState = state;
    for (const listener of this.circuits) listener({ state, previous });
  }
}

describe('LevelSignaller', () => {
  let coordinator: StubCoordinator;
  let heard: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    coordinator = new StubCoordinator();
    heard = [];
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Started; what it publishes is heard with the time in milliseconds from here on. */
  function started(openCircuitLevel?: 'soft' | 'hard'): LevelSignaller {
    const start = performance.now();
    const publish = ({ level, reason }: FeedbackEvent & { reason?: string }) => {
      heard.push(`${Math.round(performance.now() - start)} ${level} ${reason}`);
      return Promise.resolve();
    };
    const signaller = new LevelSignaller(
      coordinator,
      { publish },
      { heartbeatMs: HEARTBEAT_MS, openCircuitLevel },
    );
    signaller.start();
    return signaller;
  }

  it('sends a heartbeat so long after whatever was sent last, and the last one after ok', () => {
    started();
    jest.advanceTimersByTime(300);
    coordinator.moveTo('soft', 'soft_watermark');
    jest.advanceTimersByTime(1500);
    coordinator.moveTo('hard', 'high_watermark');
    jest.advanceTimersByTime(2500);
    coordinator.moveTo('ok', 'queue_recovered');
    jest.advanceTimersByTime(10_000);
    expect(heard).toEqual([
      '300 soft soft_watermark',
      '1300 soft heartbeat',
      '1800 hard high_watermark',
      '2800 hard heartbeat',
      '3800 hard heartbeat',
      '4300 ok queue_recovered',
      '5300 ok heartbeat',
    ]);
  });

  it('begins with the level that it finds, unless that is ok', () => {
    started();
    jest.advanceTimersByTime(HEARTBEAT_MS);
    expect(heard).toEqual([]);
    coordinator.moveTo('hard', 'high_watermark');
    heard = [];
    started();
    expect(heard).toEqual(['0 hard heartbeat']);
  });

  it('tells when it begins anew that a level which it had told is over', () => {
    const signaller = started();
    coordinator.moveTo('hard', 'high_watermark');
    signaller.stop();
    coordinator.moveTo('ok', 'queue_recovered');
    jest.advanceTimersByTime(500);
    signaller.start();
    jest.advanceTimersByTime(10_000);
    expect(heard).toEqual(['0 hard high_watermark', '500 ok heartbeat']);
  });

  it('is hard by default while the circuit is not closed', () => {
    started();
    coordinator.turn('open');
    coordinator.turn('half_open');
    coordinator.turn('open');
    coordinator.turn('half_open');
    coordinator.turn('closed');
    expect(heard).toEqual(['0 hard circuit_open', '0 ok circuit_closed']);
  });

  it('is soft at least while the circuit is not closed, where entries are taken then', () => {
    started('soft');
    coordinator.turn('open');
    coordinator.moveTo('soft', 'soft_watermark');
    jest.advanceTimersByTime(HEARTBEAT_MS);
    coordinator.moveTo('hard', 'high_watermark');
    coordinator.turn('half_open');
    coordinator.turn('open');
    coordinator.moveTo('ok', 'queue_recovered');
    coordinator.turn('half_open');
    coordinator.turn('closed');
    expect(heard).toEqual([
      '0 soft circuit_open',
      '1000 soft heartbeat',
      '1000 hard high_watermark',
      '1000 soft queue_recovered',
      '1000 ok circuit_closed',
    ]);
  });

  it('tells of the circuit with the level of the queue when that is worse', () => {
    coordinator.moveTo('hard', 'high_watermark');
    started('soft');
    coordinator.turn('open');
    coordinator.turn('half_open');
    coordinator.turn('closed');
    expect(heard).toEqual(['0 hard heartbeat', '0 hard circuit_open', '0 hard circuit_closed']);
  });
});
