import { describe, expect, it } from '@jest/globals';

import { reasonOf } from '../../src/logging/error.text.js';

describe('the reason of an error', () => {
  it('is its message and those of what caused it', () => {
    const refused = new AggregateError([new Error('refused at ::1'), new Error('refused at 127.0.0.1')]);
    expect(reasonOf(new TypeError('fetch failed', { cause: refused }))).toBe(
      'fetch failed: refused at ::1; refused at 127.0.0.1',
    );
    expect(reasonOf(new RangeError())).toBe('RangeError');
    expect(reasonOf('no error at all')).toBe('no error at all');
  });

  it('ends, also when an error is its own cause', () => {
    const error = new Error('again');
    error.cause = error;
    expect(reasonOf(error)).toMatch(/^again(: again)+$/);
  });
});
