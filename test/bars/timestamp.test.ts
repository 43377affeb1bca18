import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import {
  END_TS_US,
  FIRST_TS_US,
  formatTimestamp,
  parseEpochSeconds,
  parseTimestamp,
  type TimestampProblem,
} from '../../src/bars/timestamp.js';

const anyMicros = fc.integer({ min: FIRST_TS_US, max: END_TS_US - 1 });

function codeOf(result: number | TimestampProblem): string | number {
  return typeof result === 'number' ? result : result.code;
}

describe('parseTimestamp', () => {
  it.each([
    ['2024-01-02T14:30:00Z', '2024-01-02T14:30:00.000Z'],
    ['2024-01-02t14:30:00z', '2024-01-02T14:30:00.000Z'],
    ['2024-01-02', '2024-01-02T00:00:00.000Z'],
    ['2024-01-02T14:30:00+05:30', '2024-01-02T09:00:00.000Z'],
    ['2024-01-02T20:30:00-05:00', '2024-01-03T01:30:00.000Z'],
    ['2024-01-02T14:30:00-00:00', '2024-01-02T14:30:00.000Z'],
    ['2024-01-02T14:30:00.5Z', '2024-01-02T14:30:00.500Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29', '2000-02-29T00:00:00.000Z'],
    ['1962-01-02', '1962-01-02T00:00:00.000Z'],
    ['2199-12-31', '2199-12-31T00:00:00.000Z'],
    ['1800-01-01T00:00:00Z', '1800-01-01T00:00:00.000Z'],
    ['1799-12-31T23:30:00-00:30', '1800-01-01T00:00:00.000Z'],
    ['2200-12-31T23:59:59Z', '2200-12-31T23:59:59.000Z'],
    ['2201-01-01T00:30:00+01:00', '2200-12-31T23:30:00.000Z'],
  ])('reads %s', (text, expected) => {
    expect(parseTimestamp(text)).toBe(Date.parse(expected) * 1000);
  });

  it.each([
    ['2024-01-02T00:00:00.1Z', 100_000],
    ['2024-01-02T00:00:00.000001Z', 1],
    ['2024-01-02T00:00:00.123456+00:00', 123_456],
    ['2024-01-02T00:00:00.123456000Z', 123_456],
  ])('keeps the microseconds of %s', (text, micros) => {
    expect(parseTimestamp(text)).toBe(Date.UTC(2024, 0, 2) * 1000 + micros);
  });

  it.each([
    '',
    'yesterday',
    '1704153600',
    '20240102',
    '2024-1-2',
    '2024-02-30',
    '2023-02-29',
    '1900-02-29',
    '2024-04-31',
    '2024-13-01',
    '2024-00-10',
    '2024-01-00',
    '2024-01-32T00:00:00Z',
    '2024-01-02T24:00:00Z',
    '2024-01-02T23:60:00Z',
    '2016-12-31T23:59:60Z',
    '2024-01-02 00:00:00Z',
    '2024-01-02T',
    '2024-01-02T00:00Z',
    '2024-01-02T00:00:00.Z',
    '2024-01-02T00:00:00,5Z',
    '2024-01-02T00:00:00+0530',
    '2024-01-02T00:00:00+05',
    '2024-01-02T00:00:00+24:00',
    '2024-01-02T00:00:00+05:60',
    '2024-01-02T00:00:00Z ',
    ' 2024-01-02T00:00:00Z',
    '2024-01-02Z',
    '2024/01/02',
    '+2024-01-02',
    '12024-01-02',
    '٢٠٢٤-01-02',
  ])('refuses %j as no valid time', (text) => {
    expect(codeOf(parseTimestamp(text))).toBe('invalid-ts');
  });

  it.each(['2024-01-02T14:30:00', '2024-01-02T14:30:00.123'])('asks for the zone of %s', (text) => {
    expect(codeOf(parseTimestamp(text))).toBe('ts-without-zone');
  });

  it('refuses digits finer than a microsecond', () => {
    expect(codeOf(parseTimestamp('2024-01-02T14:30:00.1234567Z'))).toBe('ts-too-precise');
  });

  it.each([
    '0000-01-01T00:00:00Z',
    '0099-01-01',
    '1799-12-31T23:59:59.999999Z',
    '1800-01-01T00:30:00+01:00',
    '2200-12-31T23:30:00-01:00',
    '2201-01-01',
    '9999-12-31',
  ])('refuses %s as outside the years 1800 to 2200', (text) => {
    expect(codeOf(parseTimestamp(text))).toBe('ts-out-of-range');
  });

  it('reads every microsecond back from its text', () => {
    fc.assert(
      fc.property(anyMicros, (micros) => {
        expect(parseTimestamp(formatTimestamp(micros))).toBe(micros);
      }),
      { numRuns: 5000 },
    );
  });

  it('reads the same instant through any zone', () => {
    fc.assert(
      fc.property(anyMicros, fc.integer({ min: -1439, max: 1439 }), (micros, minutes) => {
        const local = micros + minutes * 60e6;
        fc.pre(local >= FIRST_TS_US && local < END_TS_US);
        const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
        const zone = `${minutes < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
        expect(parseTimestamp(formatTimestamp(local).replace('Z', zone))).toBe(micros);
      }),
    );
  });

  it('knows the same days as the calendar of Date', () => {
    const part = fc.integer({ min: 0, max: 40 });
    fc.assert(
      fc.property(fc.integer({ min: 1800, max: 2200 }), part, part, (year, month, day) => {
        const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
        const date = new Date(Date.UTC(year, month - 1, day));
        const exists =
          date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
        expect(codeOf(parseTimestamp(text))).toBe(exists ? date.getTime() * 1000 : 'invalid-ts');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('formatTimestamp', () => {
  it('writes no fraction, 3 digits or 6 digits, whichever is the shortest exact one', () => {
    const second = Date.UTC(2024, 0, 2, 14, 30) * 1000;
    expect(formatTimestamp(second)).toBe('2024-01-02T14:30:00Z');
    expect(formatTimestamp(second + 120_000)).toBe('2024-01-02T14:30:00.120Z');
    expect(formatTimestamp(second + 120_001)).toBe('2024-01-02T14:30:00.120001Z');
    expect(formatTimestamp(second + 1)).toBe('2024-01-02T14:30:00.000001Z');
    expect(formatTimestamp(-1)).toBe('1969-12-31T23:59:59.999999Z');
  });

  it('agrees with Date on whole milliseconds', () => {
    fc.assert(
      fc.property(anyMicros, (micros) => {
        const text = new Date(Math.floor(micros / 1000)).toISOString();
        const parsed = parseTimestamp(text);
        expect(typeof parsed === 'number' && formatTimestamp(parsed)).toBe(text.replace('.000Z', 'Z'));
      }),
    );
  });
});

describe('parseEpochSeconds', () => {
  it('reads every microsecond from its decimal text', () => {
    fc.assert(
      fc.property(anyMicros, (micros) => {
        fc.pre(codeOf(parseEpochSeconds(micros / 1e6)) !== 'ts-calendar-date');
        const size = BigInt(Math.abs(micros));
        const fraction = String(size % 1_000_000n).padStart(6, '0');
        const text = `${micros < 0 ? '-' : ''}${size / 1_000_000n}.${fraction}`;
        expect(parseEpochSeconds(Number(text))).toBe(micros);
      }),
      { numRuns: 20_000 },
    );
  });

  it('is right where multiplying by a million is not', () => {
    const seconds = 4_400_000_000.499_999;
    const micros = 4_400_000_000_499_999;
    const candidates = Array.from({ length: 1000 }, (_, i) => [
      Number(`4400000000.${400_000 + i}`),
      micros - 99_999 + i,
    ]);
    expect(parseEpochSeconds(seconds)).toBe(micros);
    expect(candidates.some(([value, expected]) => Math.round((value ?? 0) * 1e6) !== expected)).toBe(true);
    expect(candidates.map(([value]) => parseEpochSeconds(value ?? 0))).toEqual(
      candidates.map(([, expected]) => expected),
    );
  });

  it('refuses every date of the years 1800 to 2200 as a number, and no other of its size', () => {
    const dates: number[] = [];
    for (let value = 18_000_000; value < 22_010_000; value++)
      if (codeOf(parseEpochSeconds(value)) === 'ts-calendar-date') dates.push(value);
    expect([dates.length, dates[0], dates.at(-1)]).toEqual([146_462, 18_000_101, 22_001_231]);
    expect(dates).toContain(20_240_229);
    expect(dates).not.toContain(20_230_229);
    expect(parseEpochSeconds(20_240_102.5)).toBe(20_240_102_500_000);
  });

  it.each([
    2_024_010_200, 2_024_010_214, 2_000_022_923, 190_001_010_000, 202_401_021_430, 220_012_312_359,
    20_240_102_143_000, 18_000_101_000_000,
  ])('refuses %d, which is a date with a time of day, with the hint how to send it', (value) => {
    expect(parseEpochSeconds(value)).toMatchObject({
      code: 'ts-calendar-date',
      reason: expect.stringContaining('YYYY-MM-DDTHH:MM:SSZ') as unknown,
    });
  });

  it.each([1_700_010_100, 1_899_123_123, 2_024_010_224, 2_024_023_001, 2_024_130_100, 2_024_010_214.5])(
    'takes %d, which is none',
    (value) => {
      expect(parseEpochSeconds(value)).toBe(value * 1e6);
    },
  );

  it('takes a number that may be a date with an hour when as seconds it is no more than a year ahead', () => {
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2033, 2, 1));
    expect(parseEpochSeconds(2_024_010_214)).toBe(2_024_010_214_000_000);
    clock.mockReturnValue(Date.UTC(2033, 1, 1));
    expect(codeOf(parseEpochSeconds(2_024_010_214))).toBe('ts-calendar-date');
    clock.mockRestore();
  });

  it.each([
    [202_401_022_430, 'ts-out-of-range'],
    [20_240_102_146_000, 'ts-not-in-seconds'],
  ])('takes %d, which has no such time of day, for what it seems to be: %s', (value, code) => {
    expect(codeOf(parseEpochSeconds(value))).toBe(code);
  });

  it.each([-0, 0, 2024, 45_293, 999_999, -999_999.5])(
    'refuses %d, which may be a year or a count of days',
    (value) => {
      expect(codeOf(parseEpochSeconds(value))).toBe('ts-calendar-date');
    },
  );

  it.each([
    [1_704_153_600_000, 'milliseconds'],
    [-1_704_153_600_000, 'milliseconds'],
    [1_704_153_600_000_000, 'microseconds'],
    [1_704_153_600_000_000_000, 'nanoseconds'],
  ])('refuses %d with the hint that it looks like %s', (value, unit) => {
    expect(parseEpochSeconds(value)).toMatchObject({
      code: 'ts-not-in-seconds',
      reason: expect.stringContaining(unit) as unknown,
    });
  });

  it.each([END_TS_US / 1e6, FIRST_TS_US / 1e6 - 1e-5, 253_402_300_799, -62_167_219_200, 1e19, 1e300])(
    'refuses %d as outside the years 1800 to 2200',
    (value) => {
      expect(codeOf(parseEpochSeconds(value))).toBe('ts-out-of-range');
    },
  );

  it.each([NaN, Infinity, -Infinity])('refuses %d', (value) => {
    expect(codeOf(parseEpochSeconds(value))).toBe('invalid-ts');
  });
});
