/** Every reason to refuse a row: its stable code and what it says of the row. */
export const ROW_ERROR_CODES = {
  'malformed-line': 'The line is not JSON, or its quotes are not those of RFC 4180.',
  'not-an-object': 'The row is JSON, but not an object.',
  'wrong-field-count': 'The CSV row has more or fewer fields than the header.',
  'missing-field': 'A required field is absent, null or empty.',
  'wrong-type': 'A field is not of its JSON type, or is text that is not a JSON number.',
  'invalid-provider': 'The provider is not 1 to 64 characters of A-Z, a-z, 0-9, dot, underscore and hyphen.',
  'invalid-symbol': 'The symbol is not 1 to 64 printable ASCII characters without spaces and commas.',
  'symbol-case-conflict':
    'An earlier row has the symbol in another case, and symbols of the provider are stored in upper case.',
  'invalid-interval': 'The interval is not a count from 1 to 9999 followed by s, m, min, h, d, w or mo.',
  'invalid-ts': 'The time is neither RFC 3339 nor a date, or no such day or time of day exists.',
  'ts-without-zone': 'The time has neither Z nor an offset from UTC.',
  'ts-too-precise': 'The time is finer than a microsecond.',
  'ts-calendar-date':
    'The number is a date such as 20240102 or 202401021430, a year or a count of days, and not seconds since 1970.',
  'ts-not-in-seconds': 'The epoch time can only be in milliseconds, microseconds or nanoseconds.',
  'ts-out-of-range': 'The time is outside the years 1800 to 2200 (UTC).',
  'not-finite': 'The number is larger than a 64-bit floating point number can hold.',
  'negative-volume': 'The volume is below zero.',
  'prices-inconsistent':
    'The high is not the highest price of the row, or the low is not the lowest, by more than rounding.',
} as const;

/** The stable code of a reason to refuse a row. */
export type RowErrorCode = keyof typeof ROW_ERROR_CODES;
