import { applyDecorators } from '@nestjs/common';
import { Expose, Transform } from 'class-transformer';
import {
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  ValidateBy,
} from 'class-validator';

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** A variable that is set to nothing counts as unset: Kubernetes and compose files produce such ones. */
const parsed = (parse: (text: string) => unknown): PropertyDecorator =>
  applyDecorators(
    IsOptional(),
    Expose(),
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' && value.trim() !== '' ? parse(value.trim()) : undefined,
    ),
  );

const toNumber = (text: string): number => (/^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN);
const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false };

/** A whole number within bounds. */
export const IntegerVariable = ({ min, max }: Bounds): PropertyDecorator => {
  const message = `must be a whole number from ${min} to ${max}`;
  return applyDecorators(parsed(toNumber), IsInt({ message }), Min(min, { message }), Max(max, { message }));
};

/** A decimal number within bounds. */
export const NumberVariable = ({ min, max }: Bounds): PropertyDecorator => {
  const message = `must be a number from ${min} to ${max}`;
  return applyDecorators(
    parsed(toNumber),
    IsNumber({}, { message }),
    Min(min, { message }),
    Max(max, { message }),
  );
};

/** `true`, `false`, `1` or `0`. */
export const BooleanVariable = (): PropertyDecorator =>
  applyDecorators(
    parsed((text) => BOOLEANS[text.toLowerCase()] ?? text),
    IsBoolean({ message: 'must be true or false' }),
  );

/** One of a fixed set of words. */
export const ChoiceVariable = (choices: readonly string[]): PropertyDecorator =>
  applyDecorators(
    parsed((text) => text),
    IsIn([...choices], { message: `must be one of ${choices.join(', ')}` }),
  );

/** Free text. */
export const TextVariable = (): PropertyDecorator =>
  applyDecorators(
    parsed((text) => text),
    IsString(),
  );

/** Text of a given form; `what` completes "must be". */
export const PatternVariable = (pattern: RegExp, what: string): PropertyDecorator =>
  applyDecorators(
    parsed((text) => text),
    Matches(pattern, { message: `must be ${what}` }),
  );

/** Text that a function accepts; `what` completes "must be". */
export const CheckedVariable = (accepts: (text: string) => boolean, what: string): PropertyDecorator =>
  applyDecorators(
    parsed((text) => text),
    ValidateBy({
      name: 'checkedVariable',
      validator: {
        validate: (value: unknown) => typeof value === 'string' && accepts(value),
        defaultMessage: () => `must be ${what}`,
      },
    }),
  );
