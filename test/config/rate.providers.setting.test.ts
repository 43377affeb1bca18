import { describe, expect, it } from '@jest/globals';

import { readProviderNames, readRateProviders } from '../../src/config/rate.providers.setting.js';

function problemsOf(list: string): readonly string[] {
  const problems: string[] = [];
  readRateProviders(list, problems);
  return problems;
}

describe('MDP_RATE_PROVIDERS', () => {
  it('lists providers with their refill and burst', () => {
    const problems: string[] = [];
    expect(readRateProviders('ibkr:200000:400000, a.b_c-9:0.5:1', problems)).toEqual([
      { provider: 'ibkr', refillRate: 200_000, burst: 400_000 },
      { provider: 'a.b_c-9', refillRate: 0.5, burst: 1 },
    ]);
    expect(readRateProviders(undefined, problems)).toEqual([]);
    expect(problems).toEqual([]);
  });

  it.each([
    ['ibkr', 'it must be name:refill_rows_per_s:burst_rows'],
    ['ibkr:1', 'it must be name:refill_rows_per_s:burst_rows'],
    ['ibkr:1:2:3', 'it must be name:refill_rows_per_s:burst_rows'],
    [':1:2', 'the name must be'],
    ['a b:1:2', 'the name must be'],
    [`${'x'.repeat(65)}:1:2`, 'the name must be'],
    ['ibkr:fast:2', 'must be decimal numbers'],
    ['ibkr::2', 'must be decimal numbers'],
    ['ibkr:0x10:2', 'must be decimal numbers'],
    ['ibkr:0:2', 'the refill rate must be a number of rows per second above 0, not 0'],
    ['ibkr:1:0', 'the burst must be a number of rows, at least 1, not 0'],
    ['ibkr:1:0.5', 'the burst must be a number of rows, at least 1, not 0.5'],
    ['ibkr:-1:2', 'must be decimal numbers'],
  ])('refuses %s and says where it is', (entry, problem) => {
    const problems = problemsOf(`good:1:1,${entry}`);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^MDP_RATE_PROVIDERS entry 2: /);
    expect(problems[0]).toContain(problem);
  });

  it('tells every bad entry, doubles and empty ones too', () => {
    expect(problemsOf('a:1:1,,b:x:1,a:2:2')).toEqual([
      'MDP_RATE_PROVIDERS entry 2: it must be name:refill_rows_per_s:burst_rows',
      'MDP_RATE_PROVIDERS entry 3: refill and burst must be decimal numbers',
      'MDP_RATE_PROVIDERS entry 4: the provider is there twice',
    ]);
  });
});

describe('MDP_FB_PROVIDER_NAME', () => {
  it('lists the providers that follow the level, or is * for all of them', () => {
    const problems: string[] = [];
    expect(readProviderNames('MDP_FB_PROVIDER_NAME', 'ibkr, a.b_c-9', problems)).toEqual(['ibkr', 'a.b_c-9']);
    expect(readProviderNames('MDP_FB_PROVIDER_NAME', '*', problems)).toBe('*');
    expect(problems).toEqual([]);
  });

  it('is refused with the place of each name that no provider can have', () => {
    const problems: string[] = [];
    readProviderNames('MDP_FB_PROVIDER_NAME', `ibkr,*,,a b,${'x'.repeat(65)}`, problems);
    expect(problems).toEqual([
      'MDP_FB_PROVIDER_NAME entry 2: * stands for every provider and must be alone',
      'MDP_FB_PROVIDER_NAME entry 3: it must be 1 to 64 characters of A-Za-z0-9._-',
      'MDP_FB_PROVIDER_NAME entry 4: it must be 1 to 64 characters of A-Za-z0-9._-',
      'MDP_FB_PROVIDER_NAME entry 5: it must be 1 to 64 characters of A-Za-z0-9._-',
    ]);
  });
});
