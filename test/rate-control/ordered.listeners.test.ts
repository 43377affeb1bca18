import { afterEach, describe, expect, it, jest } from '@jest/globals';

import { OrderedListeners } from '../../src/rate-control/ordered.listeners.js';
import { settle } from './feedback.js';

describe('OrderedListeners', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('has told everyone when emit returns, and nobody who unsubscribed', () => {
    const listeners = new OrderedListeners<number>();
    const heard: string[] = [];
    listeners.add((n) => heard.push(`a${n}`));
    const subscription = listeners.add((n) => heard.push(`b${n}`));
    listeners.emit(1);
    subscription[Symbol.dispose]();
    listeners.emit(2);
    expect(heard).toEqual(['a1', 'b1', 'a2']);
  });

  it('tells everyone the events in one order, though a listener causes some of them', () => {
    const listeners = new OrderedListeners<number>();
    const heard: number[] = [];
    listeners.add((n) => n < 3 && listeners.emit(n + 1));
    listeners.add((n) => heard.push(n));
    listeners.emit(1);
    expect(heard).toEqual([1, 2, 3]);
  });

  it('keeps listeners apart: one throws, one rejects, the next one hears, and both errors are reported', async () => {
    const warnings = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const listeners = new OrderedListeners<number>();
    const heard: number[] = [];
    const [thrown, rejected] = [new Error('thrown'), new Error('rejected')];
    listeners.add(() => {
      throw thrown;
    });
    listeners.add(() => Promise.reject(rejected));
    listeners.add((n) => heard.push(n));
    listeners.emit(1);
    listeners.emit(2);
    await settle();
    expect(heard).toEqual([1, 2]);
    expect(warnings.mock.calls.map(([warning]) => warning)).toEqual([thrown, thrown, rejected, rejected]);
  });
});
