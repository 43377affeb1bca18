import { applyDecorators } from '@nestjs/common';
import { IsInt, IsString, Matches } from 'class-validator';

import { parsed } from '../../http/query.decorators.js';
import { parseInterval } from '../interval.js';
import { describeValue } from '../decode/value.text.js';
import { SYMBOL } from '../series.key.js';
import { parseTime } from '../timestamp.js';

const BLANK_BEFORE_OFFSET = /^\d.* \d\d:\d\d$/;

/** A time: RFC 3339 with a zone, a date, or epoch seconds; becomes Unix microseconds. */
export const TimeParameter = (): PropertyDecorator =>
  applyDecorators(
    parsed(timeOrReason),
    IsInt({
      message: ({ value }) =>
        typeof value === 'string' ? value : 'must be RFC 3339 with a zone, YYYY-MM-DD, or epoch seconds',
    }),
  );

/** Unix microseconds, or why it is no time. */
function timeOrReason(text: string): number | string {
  const time = parseTime(text);
  if (typeof time === 'number') return time;
  if (BLANK_BEFORE_OFFSET.test(text))
    return `${describeValue(text)} has a blank where an offset begins: in a URL a + is written %2B`;
  return `${describeValue(text)} ${time.reason}`;
}

/** A comma list of symbols, in the case in which they were written. */
export const SymbolsParameter = (): PropertyDecorator =>
  applyDecorators(
    parsed((text) => text.split(',')),
    IsString({ each: true, message: 'must be a comma list of symbols' }),
    Matches(SYMBOL, {
      each: true,
      message:
        'must be a comma list of symbols, each of 1 to 64 printable ASCII characters without spaces and commas',
    }),
  );

/** The name of a provider. */
export const ProviderParameter = (): PropertyDecorator =>
  applyDecorators(
    parsed((text) => text),
    Matches(/^[A-Za-z0-9._-]{1,64}$/, { message: 'must have 1 to 64 of the characters A-Z a-z 0-9 . _ -' }),
  );

/** An interval such as `5m`; becomes its stored form. */
export const IntervalParameter = (): PropertyDecorator =>
  applyDecorators(
    parsed((text) => parseInterval(text) ?? NaN),
    IsString({ message: 'must be an interval such as 30s, 5m, 1h, 1d, 1w or 1mo' }),
  );
