import { applyDecorators } from '@nestjs/common';
import { Expose, Transform } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';

/** A parameter given once. One given twice arrives as an array, which would pass for a list of symbols. */
export const parsed = (parse: (text: string) => unknown): PropertyDecorator =>
  applyDecorators(
    IsOptional(),
    Expose(),
    Transform(({ value }: { value: unknown }) => {
      if (value === undefined) return undefined;
      return typeof value === 'string' ? parse(value) : NaN;
    }),
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
