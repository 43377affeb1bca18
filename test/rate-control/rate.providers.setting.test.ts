import 'reflect-metadata';

import { describe, expect, it } from '@jest/globals';

import { parseRateProviders, RateProvidersError } from '../../src/rate-control/index.js';

describe('MDP_RATE_PROVIDERS', () => {
  it('lists providers with their refill and burst', () => {
    expect(parseRateProviders('ibkr:200000:400000, a.b_c-9:0.5:1')).toEqual([
      { provider: 'ibkr', refillRate: 200_000, burst: 400_000 },
      { provider: 'a.b_c-9', refillRate: 0.5, burst: 1 },
    ]);
    expect(parseRateProviders('  ')).toEqual([]);
  });

  it.each([
    ['ibkr', 'must be name:refill_rows_per_s:burst_rows'],
    ['ibkr:1', 'must be name:refill_rows_per_s:burst_rows'],
    ['ibkr:1:2:3', 'must be name:refill_rows_per_s:burst_rows'],
    [':1:2', 'the name must be'],
    ['a b:1:2', 'the name must be'],
    [`${'x'.repeat(65)}:1:2`, 'the name must be'],
    ['ibkr:fast:2', 'must be decimal numbers'],
    ['ibkr::2', 'must be decimal numbers'],
    ['ibkr:0x10:2', 'must be decimal numbers'],
    ['ibkr:0:2', 'the refill rate must be a number of rows per second above 0, not 0'],
    ['ibkr:1:0', 'the burst must be a number of rows, at least 1, not 0'],
    ['ibkr:-1:2', 'must be decimal numbers'],
  ])('refuses %s and names it', (entry, problem) => {
    const parse = () => parseRateProviders(`good:1:1,${entry}`);
    expect(parse).toThrow(RateProvidersError);
    expect(parse).toThrow(problem);
    expect(parse).toThrow(`entry ${JSON.stringify(entry)}`);
  });

  it('names every bad entry, doubles and empty ones too', () => {
    try {
      parseRateProviders('a:1:1,,b:x:1,a:2:2');
      throw new Error('it was accepted');
    } catch (error) {
      if (!(error instanceof RateProvidersError)) throw error;
      expect(error.problems).toEqual([
        'entry "": must be name:refill_rows_per_s:burst_rows',
        'entry "b:x:1": refill and burst must be decimal numbers',
        'entry "a:2:2": the provider is there twice',
      ]);
    }
  });
});
