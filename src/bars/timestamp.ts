/** Why a text or a number is not an instant that a bar can have. */
export interface TimestampProblem {
  /** Stable name of the kind of problem. */
  readonly code:
    | 'invalid-ts'
    | 'ts-without-zone'
    | 'ts-too-precise'
    | 'ts-calendar-date'
    | 'ts-not-in-seconds'
    | 'ts-out-of-range';
  /** What is wrong and what to send instead, to be read after the value: "is not ...". */
  readonly reason: string;
}

/** First instant that a bar can have, 1800-01-01T00:00:00Z, in Unix epoch microseconds. */
export const FIRST_TS_US = Date.UTC(1800, 0, 1) * 1000;

/** First instant past those that a bar can have, 2201-01-01T00:00:00Z, in Unix epoch microseconds. */
export const END_TS_US = Date.UTC(2201, 0, 1) * 1000;

/** UTC year of an instant in Unix epoch microseconds. */
export function yearOf(micros: number): number {
  return new Date(Math.floor(micros / 1000)).getUTCFullYear();
}

const YEAR_0_S = -62_167_219_200;
const YEAR_10000_S = 253_402_300_800;
const END_TS_S = END_TS_US / 1e6;
/** Nearer to 1970 a number is a year, or a count of days as spreadsheets have it, and no time of a bar. */
const LEAST_EPOCH_S = 1_000_000;

/** 1900-01-01T00 as YYYYMMDDHH, which as seconds is in the year 2030. */
const LEAST_CALENDAR_HOUR = 1_900_010_100;
/** No bar begins so far ahead, milliseconds: a number that may be either is no instant then, but a date with an hour. */
const FAR_AHEAD_MS = 366 * 86_400_000;

const INVALID: TimestampProblem = {
  code: 'invalid-ts',
  reason: 'is not a valid time such as 2024-01-02T14:30:00Z, nor a valid date such as 2024-01-02',
};
const WITHOUT_ZONE: TimestampProblem = {
  code: 'ts-without-zone',
  reason: 'has no time zone: end it with Z or with an offset such as +00:00',
};
const TOO_PRECISE: TimestampProblem = { code: 'ts-too-precise', reason: 'is finer than a microsecond' };
const CALENDAR_DATE: TimestampProblem = {
  code: 'ts-calendar-date',
  reason: 'is a date or a count of days rather than seconds since 1970: send a date as YYYY-MM-DD',
};
const CALENDAR_TIME: TimestampProblem = {
  code: 'ts-calendar-date',
  reason: 'is a date with a time of day rather than seconds since 1970: send it as YYYY-MM-DDTHH:MM:SSZ',
};
const OUT_OF_RANGE: TimestampProblem = {
  code: 'ts-out-of-range',
  reason: 'is outside the years 1800 to 2200',
};

const DASH = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const PLUS = 0x2b;
const ZERO = 0x30;
const T = 0x54;
const Z = 0x5a;
const LOWER = 0x20;

/** The instant of an RFC 3339 time with a zone, or of midnight UTC of a `YYYY-MM-DD`, in Unix epoch microseconds. */
export function parseTimestamp(text: string): number | TimestampProblem {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  if (text.charCodeAt(4) !== DASH || text.charCodeAt(7) !== DASH || !isCalendarDay(year, month, day))
    return INVALID;
  if (text.length === 10) return instant(year, month, day, 0, 0);

  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  const shaped =
    (text.charCodeAt(10) & ~LOWER) === T && text.charCodeAt(13) === COLON && text.charCodeAt(16) === COLON;
  if (!shaped || !isBetween(hour, 23) || !isBetween(minute, 59) || !isBetween(second, 59)) return INVALID;

  let at = 19;
  let fraction = 0;
  let tooPrecise = false;
  if (text.charCodeAt(at) === DOT) {
    const start = ++at;
    for (let unit = 100_000; isDigit(text.charCodeAt(at)); at++, unit /= 10) {
      const digit = text.charCodeAt(at) - ZERO;
      if (unit >= 1) fraction += digit * unit;
      else if (digit !== 0) tooPrecise = true;
    }
    if (at === start) return INVALID;
  }
  if (at === text.length) return WITHOUT_ZONE;
  const offset = zoneOffset(text, at);
  if (offset === undefined) return INVALID;
  if (tooPrecise) return TOO_PRECISE;
  return instant(year, month, day, (hour * 60 + minute - offset) * 60 + second, fraction);
}

/**
 * The instant of a number of seconds since the Unix epoch, in Unix epoch microseconds, rounded to the nearest. Numbers
 * that read as a date, such as 20240102 or 202401021430, and those within eleven days of 1970 are refused.
 */
export function parseEpochSeconds(seconds: number): number | TimestampProblem {
  if (!Number.isFinite(seconds)) return INVALID;
  if (Math.abs(seconds) < LEAST_EPOCH_S || isCalendarNumber(seconds)) return CALENDAR_DATE;
  if (seconds >= LEAST_CALENDAR_HOUR && isCalendarTime(seconds)) return CALENDAR_TIME;
  // Whole and fraction apart: `seconds * 1e6` rounds once more, and from 2106 on lands on the wrong microsecond.
  const whole = Math.trunc(seconds);
  const micros = whole * 1e6 + Math.round((seconds - whole) * 1e6);
  if (micros >= FIRST_TS_US && micros < END_TS_US) return micros;
  // Up to the year 9999 the number may still be meant in seconds.
  if (seconds >= YEAR_0_S && seconds < YEAR_10000_S) return OUT_OF_RANGE;
  const size = Math.abs(seconds);
  if (size < END_TS_S * 1e3) return notInSeconds('milliseconds', '1,000');
  if (size < END_TS_S * 1e6) return notInSeconds('microseconds', '1,000,000');
  if (size < END_TS_S * 1e9) return notInSeconds('nanoseconds', '1,000,000,000');
  return OUT_OF_RANGE;
}

const EPOCH_SECONDS = /^-?\d+(\.\d+)?$/;

/** The instant of a text that is one of either: seconds since the Unix epoch when it is a number, or a time or date. */
export function parseTime(text: string): number | TimestampProblem {
  return EPOCH_SECONDS.test(text) ? parseEpochSeconds(Number(text)) : parseTimestamp(text);
}

/** RFC 3339 in UTC (`Z`) of Unix epoch microseconds, with no fraction, or the shorter exact one of 3 and 6 digits. */
export function formatTimestamp(unixMicros: number): string {
  const millis = Math.floor(unixMicros / 1000);
  const micros = unixMicros - millis * 1000;
  const text = new Date(millis).toISOString();
  if (micros !== 0) return `${text.slice(0, 23)}${String(micros).padStart(3, '0')}Z`;
  return text.endsWith('.000Z') ? `${text.slice(0, 19)}Z` : text;
}

function instant(
  year: number,
  month: number,
  day: number,
  seconds: number,
  micros: number,
): number | TimestampProblem {
  // Date.UTC takes the years 0 to 99 for 1900 to 1999; an offset can move a time across one year's end, not two.
  if (year < 1799) return OUT_OF_RANGE;
  const value = (Date.UTC(year, month - 1, day) + seconds * 1000) * 1000 + micros;
  return value >= FIRST_TS_US && value < END_TS_US ? value : OUT_OF_RANGE;
}

/** Minutes east of UTC of the zone that must fill the text from `at`; undefined when it is not one. */
function zoneOffset(text: string, at: number): number | undefined {
  const sign = text.charCodeAt(at);
  if ((sign & ~LOWER) === Z) return text.length === at + 1 ? 0 : undefined;
  if ((sign !== PLUS && sign !== DASH) || text.length !== at + 6 || text.charCodeAt(at + 3) !== COLON)
    return undefined;
  const hour = digits(text, at + 1, 2);
  const minute = digits(text, at + 4, 2);
  if (!isBetween(hour, 23) || !isBetween(minute, 59)) return undefined;
  return sign === PLUS ? hour * 60 + minute : -(hour * 60 + minute);
}

function notInSeconds(unit: string, divisor: string): TimestampProblem {
  return { code: 'ts-not-in-seconds', reason: `looks like ${unit}: send seconds, divided by ${divisor}` };
}

/** The number that `count` decimal digits from `at` spell; -1 when one of them is not a digit. */
function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const code = text.charCodeAt(i);
    if (!isDigit(code)) return -1;
    value = value * 10 + code - ZERO;
  }
  return value;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= ZERO + 9;
}

function isBetween(value: number, last: number): boolean {
  return value >= 0 && value <= last;
}

function isCalendarDay(year: number, month: number, day: number): boolean {
  return year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month);
}

/** True for YYYYMMDD of the years 1800 to 2200. As seconds they would be days of 1970, and none of them a whole minute. */
function isCalendarNumber(value: number): boolean {
  if (value < 18_000_101 || value > 22_001_231 || !Number.isInteger(value)) return false;
  return isCalendarDay(Math.floor(value / 10_000), Math.floor(value / 100) % 100, value % 100);
}

/**
 * True for YYYYMMDDHHMM and YYYYMMDDHHMMSS, which are no seconds of the years 1800 to 2200, and for those YYYYMMDDHH
 * that would be seconds more than a year ahead.
 */
function isCalendarTime(value: number): boolean {
  if (!Number.isInteger(value)) return false;
  const below = (unit: number): number => Math.floor(value / unit) % 100;
  if (value < 1e10)
    return (
      value * 1e3 > Date.now() + FAR_AHEAD_MS && below(1) < 24 && isCalendarNumber(Math.floor(value / 100))
    );
  if (value < 1e12) return below(100) < 24 && below(1) < 60 && isCalendarNumber(Math.floor(value / 1e4));
  return below(1e4) < 24 && below(100) < 60 && below(1) < 60 && isCalendarNumber(Math.floor(value / 1e6));
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
