// class-transformer's Type reads it; whoever uses the contracts as a library need not know.
import 'reflect-metadata';

import { Type } from 'class-transformer';
import { IsArray, IsNumber, IsObject, ValidateBy, ValidateNested } from 'class-validator';

import type { ContractClass } from './contract.fields.js';

/** A finite number, which the description explains to readers of the schema. */
export function IsFiniteNumber(description: string): PropertyDecorator {
  return IsNumber({}, { message: 'must be a number', context: { description } });
}

/** A time: Unix epoch, seconds. */
export function IsEpochSeconds(): PropertyDecorator {
  return IsFiniteNumber('Unix epoch, seconds, fraction allowed');
}

/** An object whose values are all strings. */
export function IsTextMap(): PropertyDecorator {
  return ValidateBy({
    name: 'isTextMap',
    validator: {
      validate: (value: unknown) =>
        typeof value === 'object' &&
        value !== null &&
        !Array.isArray(value) &&
        Object.values(value).every((one) => typeof one === 'string'),
      defaultMessage: () => 'must be an object whose values are strings',
    },
  });
}

/** A document of another contract. `Type` is for callers that read it with class-transformer, such as Nest's pipes. */
export function IsContract(contract: () => ContractClass): PropertyDecorator {
  const message = 'must be an object';
  return all([IsObject({ message }), ValidateNested({ message, context: { contract } }), Type(contract)]);
}

/** A list of documents of another contract. */
export function IsListOf(contract: () => ContractClass): PropertyDecorator {
  const message = 'must be an object';
  return all([
    IsArray({ message: 'must be a list of objects' }),
    // ValidateNested would take a list of objects where an object belongs.
    IsObject({ each: true, message }),
    ValidateNested({ each: true, message, context: { contract } }),
    Type(contract),
  ]);
}

/** The decorators as if stacked above the property in this order. */
function all(decorators: readonly PropertyDecorator[]): PropertyDecorator {
  return (target, property) => {
    for (const decorate of decorators.toReversed()) decorate(target, property);
  };
}
