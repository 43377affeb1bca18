import { describe, expect, it } from '@jest/globals';
import { parseInterval } from '../../src/bars/interval.js';

describe('parseInterval', () => {
  it.each(['30s', '1m', '1h', '1d', '1w', '1mo', '60m', '9999d'])('stores %s as it is', (text) => {
    expect(parseInterval(text)).toBe(text);
  });

  it('stores 5min as 5m', () => {
    expect(parseInterval('5min')).toBe('5m');
  });

  it.each([
    '',
    '0m',
    '01m',
    '10000m',
    '1',
    'm',
    '1M',
    '1D',
    '1y',
    '1.5h',
    '-1m',
    ' 1m',
    '1m\n',
    '1minn',
    '１m',
  ])('refuses %j', (text) => {
    expect(parseInterval(text)).toBeUndefined();
  });
});
