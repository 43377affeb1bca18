import { beforeEach, describe, expect, it } from '@jest/globals';

import { ProviderCircuit } from '../../src/rate-control/provider.circuit.js';
import { ManualClock } from './feedback.js';

describe('ProviderCircuit', () => {
  let clock: ManualClock;
  let circuit: ProviderCircuit;
  const fail = (times: number) => {
    for (let i = 0; i < times; i++) circuit.recordFailure();
  };

  beforeEach(() => {
    clock = new ManualClock();
    circuit = new ProviderCircuit({ now: clock.now });
  });

  it('opens after 5 failures in a row; a success in between starts the count anew', () => {
    fail(4);
    circuit.recordSuccess();
    fail(4);
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['closed', 0]);
    fail(1);
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['open', 10_000]);
  });

  it('is half open after 10 s and lets exactly one probe through', () => {
    fail(5);
    clock.ms = 9_999;
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['open', 1]);
    clock.ms = 10_000;
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['half_open', 0]);
    circuit.enter();
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['half_open', 10_000]);
    expect(() => circuit.enter()).toThrow('half_open');
  });

  it('closes when the probe succeeds and opens for the whole time when it fails', () => {
    fail(5);
    clock.ms = 12_000;
    circuit.enter();
    circuit.recordFailure();
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['open', 10_000]);
    clock.ms = 22_000;
    circuit.enter();
    circuit.recordSuccess();
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['closed', 0]);
    fail(4);
    expect(circuit.state).toBe('closed');
  });

  it('pays no heed to late news: outcomes while open, or before the probe began', () => {
    fail(5);
    circuit.recordSuccess();
    clock.ms = 5_000;
    fail(1);
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['open', 5_000]);
    clock.ms = 10_000;
    circuit.recordSuccess();
    fail(1);
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['half_open', 0]);
  });

  it('lets another probe through when nobody says how the first one went', () => {
    fail(5);
    clock.ms = 10_000;
    circuit.enter();
    clock.ms = 19_999;
    expect(circuit.retryAfterMs).toBe(1);
    clock.ms = 20_000;
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['half_open', 0]);
    circuit.enter();
    expect(circuit.retryAfterMs).toBe(10_000);
  });
});
