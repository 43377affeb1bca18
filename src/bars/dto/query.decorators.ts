import { applyDecorators } from '@nestjs/common';
import { Expose, Transform } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Matches, Max, Min } from 'class-validator';

import { parseInterval } from '../interval.js';
import { parseEpochSeconds, parseTimestamp } from '../timestamp.js';

/** A parameter given once. One given twice arrives as an array, which would pass for a list of symbols. */
const parsed = (parse: (text: string) => unknown): PropertyDecorator =>
  applyDecorators(
    IsOptional(),
    Expose(),
    Transform(({ value }: { value: unknown }) => {
      if (value === undefined) return undefined;
      return typeof value === 'string' ? parse(value) : NaN;
    }),
  );

const EPOCH_SECONDS = /^-?\d+(\.\d+)?$/;

/** A time: RFC 3339 with a zone, a date, or epoch seconds; becomes Unix microseconds. */
export const TimeParameter = (): PropertyDecorator =>
  applyDecorators(
    parsed((text) => (EPOCH_SECONDS.test(text) ? parseEpochSeconds(Number(text)) : parseTimestamp(text))),
    IsInt({ message: 'must be RFC 3339 with a zone, YYYY-MM-DD, or epoch seconds' }),
  );

/** A whole number within bounds. */
export const CountParameter = (max: number): PropertyDecorator => {
  const message = `must be a whole number from 1 to ${max}`;
  return applyDecorators(
    parsed((text) => (/^\d{1,9}$/.test(text) ? Number(text) : NaN)),
    IsInt({ message }),
    Min(1, { message }),
    Max(max, { message }),
  );
};

/** A comma list of symbols, in any case. */
export const SymbolsParameter = (): PropertyDecorator =>
  applyDecorators(
    parsed((text) => text.toUpperCase().split(',')),
    IsString({ each: true, message: 'must be a comma list of symbols' }),
    Matches(/^[\x21-\x7e]{1,64}$/, {
      each: true,
      message: 'must be a comma list of symbols, each of 1 to 64 printable ASCII characters without spaces',
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

/** One of a few words. */
export const ChoiceParameter = (choices: readonly string[]): PropertyDecorator =>
  applyDecorators(
    parsed((text) => text),
    IsIn([...choices], { message: `must be one of ${choices.join(', ')}` }),
  );

/** Opaque text. */
export const TextParameter = (): PropertyDecorator =>
  applyDecorators(
    parsed((text) => text),
    IsString({ message: 'must be given once' }),
  );
