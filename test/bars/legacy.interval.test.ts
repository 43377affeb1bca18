import { describe, expect, it } from '@jest/globals';

import { legacyInterval } from '../../src/bars/legacy/legacy.interval.js';

describe('an interval of an earlier table', () => {
  it.each([
    ['1m', '1m'],
    ['5min', '5m'],
    ['15Min', '15m'],
    ['1 min', '1m'],
    ['5 mins', '5m'],
    ['1H', '1h'],
    ['1hour', '1h'],
    ['1D', '1d'],
    ['1 day', '1d'],
    ['1W', '1w'],
    ['1mo', '1mo'],
    ['1Month', '1mo'],
    ['30S', '30s'],
    ['1M', undefined],
    ['daily', undefined],
    ['05m', undefined],
    ['', undefined],
    ['1  m', undefined],
  ])('%s is stored as %s', (text, expected) => {
    expect(legacyInterval(text)).toBe(expected);
  });
});
