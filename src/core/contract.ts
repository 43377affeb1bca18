import { validateSync, type ValidationError } from 'class-validator';

import { ContractError, type ContractViolation } from './contract.error.js';
import { fieldsOf, type ContractClass } from './contract.fields.js';

/**
 * Reads a document of a Core contract: unknown keys are ignored, defaults filled in, and the result is frozen.
 * @throws ContractError naming each field that is wrong
 */
export function parseContract<T extends object>(contract: new () => T, document: unknown): T {
  if (!isRecord(document)) {
    throw new ContractError(contract.name, [{ field: '', detail: 'must be a JSON object' }]);
  }
  const parsed = instantiate(contract, document);
  const errors = validateSync(parsed);
  if (errors.length > 0) throw new ContractError(contract.name, violationsOf(errors, ''));
  return deepFreeze(parsed);
}

/** Not by class-transformer, which drops keys such as `toString` from maps and overflows the stack on deep lists. */
function instantiate<T extends object>(contract: ContractClass<T>, document: Record<string, unknown>): T {
  const instance = new contract();
  const values: Record<string, unknown> = {};
  for (const { name, nested } of fieldsOf(contract)) {
    const value = document[name];
    // A field that is absent keeps its default.
    if (value === undefined) continue;
    if (nested === undefined || value === null) values[name] = copyOf(value);
    else if (!nested.list) values[name] = instantiateNested(nested.contract, value);
    else if (!Array.isArray(value)) values[name] = MISFIT;
    else values[name] = value.map((item: unknown) => instantiateNested(nested.contract, item));
  }
  return Object.assign(instance, values);
}

/** Stands for a value of the wrong shape, which class-validator would walk into, however deep, before it refuses it. */
const MISFIT = false;

function instantiateNested(contract: ContractClass, value: unknown): unknown {
  return isRecord(value) ? instantiate(contract, value) : MISFIT;
}

/** The caller's own object must not be frozen with the result. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return [...(value as unknown[])];
  return isRecord(value) ? { ...value } : value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One violation per field: a field of the wrong type need not be told its bounds too. */
function violationsOf(errors: readonly ValidationError[], prefix: string): ContractViolation[] {
  return errors.flatMap((error) => {
    const { children = [] } = error;
    const field = prefix + error.property;
    return children.length > 0 ? violationsOf(children, `${field}.`) : [{ field, detail: detailOf(error) }];
  });
}

function detailOf({ property, value, constraints = {} }: ValidationError): string {
  if (value === undefined) return 'is missing';
  const { nestedValidation = 'is not valid', ...others } = constraints;
  // Decorators run from the bottom up, and the topmost tells the type.
  const detail = Object.values(others).at(-1) ?? nestedValidation;
  // class-validator begins each message with the name of the property, which the field says already.
  return detail.startsWith(`${property} `) ? detail.slice(property.length + 1) : detail;
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value) as unknown[]) {
    if (typeof part === 'object' && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}
