import 'reflect-metadata';

import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';

import { ContractError } from '../../src/core/index.js';
import { RateCoordinatorAdapter, TokenBucketRateController } from '../../src/rate-control/index.js';
import { adjustment } from './feedback.js';

describe('RateCoordinatorAdapter', () => {
  const warnings = jest.spyOn(process, 'emitWarning');
  let controller: TokenBucketRateController;
  let adapter: RateCoordinatorAdapter;

  beforeAll(() => {
    warnings.mockImplementation(() => undefined);
    controller = new TokenBucketRateController();
    controller.register('ibkr', { refillRate: 100, burst: 50 });
    adapter = new RateCoordinatorAdapter(controller);
  });
  afterAll(() => warnings.mockRestore());

  const state = () => {
    const entry = controller.entry('ibkr');
    return [entry?.scale, entry?.pressure];
  };

  it.each([
    ['SOFT', 0.5, 'soft'],
    ['hard', 0, 'hard'],
    ['Ok', 1, 'ok'],
  ])('turns the pressure %s into the scale %f', async (level, scale, pressure) => {
    await adapter.set_global_pressure('ibkr', level);
    expect(state()).toEqual([scale, pressure]);
  });

  it.each([
    [0.3, 'soft'],
    [0, 'hard'],
    [1, 'ok'],
  ])('passes on the budget scale %f and names the level that it comes to: %s', async (scale, pressure) => {
    await adapter.set_budget_scale('ibkr', scale);
    expect(state()).toEqual([scale, pressure]);
  });

  it('takes adjustments as any RateController', async () => {
    await adapter.apply(adjustment('ibkr', 0.4, 'soft'));
    expect(state()).toEqual([0.4, 'soft']);
  });

  it('takes the scale of a level as a pressure, also when two levels have one scale', async () => {
    const older = new RateCoordinatorAdapter(controller, { soft: 0 });
    const pressures = jest.spyOn(older, 'set_global_pressure');
    await older.apply(adjustment('ibkr', 0, 'soft'));
    expect(state()).toEqual([0, 'soft']);
    await older.apply(adjustment('ibkr', 0, 'hard'));
    expect(state()).toEqual([0, 'hard']);
    await older.apply(adjustment('ibkr', 0.4, 'hard'));
    expect(state()).toEqual([0.4, 'hard']);
    expect(pressures.mock.calls).toEqual([
      ['ibkr', 'soft'],
      ['ibkr', 'hard'],
    ]);
  });

  it('rejects a level that is none and a scale out of range, and changes nothing', async () => {
    await adapter.apply(adjustment('ibkr', 1, 'ok'));
    await expect(adapter.set_global_pressure('ibkr', 'panic')).rejects.toThrow(
      'must be ok, soft or hard, not "panic"',
    );
    await expect(adapter.set_budget_scale('ibkr', 1.5)).rejects.toThrow(ContractError);
    await expect(adapter.set_budget_scale('ibkr', NaN)).rejects.toThrow('scale');
    expect(state()).toEqual([1, 'ok']);
  });

  it('goes by the policy it is given', async () => {
    await new RateCoordinatorAdapter(controller, { soft: 0.7 }).set_global_pressure('ibkr', 'soft');
    expect(state()).toEqual([0.7, 'soft']);
  });

  it('makes an object that has only the older interface a RateController', async () => {
    const calls: unknown[][] = [];
    const older = {
      set_global_pressure: (...args: unknown[]) => calls.push(['pressure', ...args]),
      set_budget_scale: (...args: unknown[]) => Promise.resolve(calls.push(['scale', ...args])),
    };
    await new RateCoordinatorAdapter(older).apply(adjustment('ibkr', 0.5, 'soft'));
    expect(calls).toEqual([
      ['pressure', 'ibkr', 'soft'],
      ['scale', 'ibkr', 0.5],
    ]);
  });

  it('has warned once, however many there are and however often they are used', () => {
    expect(warnings.mock.calls).toEqual([
      [
        expect.stringContaining('RateController'),
        expect.objectContaining({ type: 'DeprecationWarning', code: 'MDS_DEP0001' }),
      ],
    ]);
  });
});
