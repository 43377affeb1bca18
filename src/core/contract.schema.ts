import type { Contract } from './contract.catalogue.js';
import { fieldsOf, type ContractClass, type ContractField, type FieldRule } from './contract.fields.js';

/** A JSON Schema, draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What each decorator of class-validator says in JSON Schema. */
const KEYWORDS: Readonly<Record<string, (argument: unknown) => JsonSchema>> = {
  isString: () => ({ type: 'string' }),
  isNumber: () => ({ type: 'number' }),
  isInt: () => ({ type: 'integer' }),
  isIn: (words) => ({ type: 'string', enum: words }),
  isTextMap: () => ({ type: 'object', additionalProperties: { type: 'string' } }),
  min: (minimum) => ({ minimum }),
  max: (maximum) => ({ maximum }),
  isPositive: () => ({ exclusiveMinimum: 0 }),
};

/** The JSON Schema of a contract, its nested contracts written out in place. */
export function schemaOf(id: string, contract: Contract): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: id,
    title: id.slice(id.lastIndexOf('.') + 1),
    ...(typeof contract === 'function' ? objectSchema(contract) : { type: 'string', enum: contract }),
  };
}

function objectSchema(contract: ContractClass): JsonSchema {
  const defaults = new Map<string, unknown>(Object.entries(new contract()));
  const fields = fieldsOf(contract);
  const required = fields.filter(({ name, optional }) => !optional && !defaults.has(name));
  return {
    type: 'object',
    required: required.map(({ name }) => name),
    properties: Object.fromEntries(
      fields.map((field) => [
        field.name,
        {
          ...fieldSchema(contract, field),
          ...(defaults.has(field.name) && { default: defaults.get(field.name) }),
          ...(field.description !== undefined && { description: field.description }),
        },
      ]),
    ),
  };
}

function fieldSchema(contract: ContractClass, { name, rules, optional, nested }: ContractField): JsonSchema {
  if (nested !== undefined) {
    const schema = objectSchema(nested.contract);
    return nullable(nested.list ? { type: 'array', items: schema } : schema, optional);
  }
  // The topmost decorator is the last rule; it tells the type, which readers expect first.
  const keywords = rules.toReversed().map((rule) => keywordsOf(rule, `${contract.name}.${name}`));
  return nullable(Object.assign({}, ...keywords) as JsonSchema, optional);
}

function keywordsOf({ name, argument }: FieldRule, field: string): JsonSchema {
  const keywords = KEYWORDS[name];
  // A rule left out would make a schema that accepts what the class refuses.
  if (keywords === undefined) throw new Error(`there is no JSON Schema keyword for ${name} on ${field}`);
  return keywords(argument);
}

function nullable(schema: JsonSchema, optional: boolean): JsonSchema {
  if (!optional) return schema;
  const { type, enum: words } = schema;
  return {
    ...schema,
    type: [type, 'null'],
    ...(Array.isArray(words) && { enum: [...(words as unknown[]), null] }),
  };
}
