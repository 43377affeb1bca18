import { getMetadataStorage, ValidationTypes } from 'class-validator';

/** A class whose decorators are the rules of a contract. */
export type ContractClass<T extends object = object> = new () => T;

/** One decorator of class-validator on a field. */
export interface FieldRule {
  /** Of the decorator, such as `isInt`. */
  readonly name: string;
  /** Its argument, when it has one. */
  readonly argument: unknown;
}

/** One field of a contract. */
export interface ContractField {
  readonly name: string;
  /** In the order of the decorators from the bottom up. */
  readonly rules: readonly FieldRule[];
  /** Whether null means the same as absent. */
  readonly optional: boolean;
  /** For readers of the schema. */
  readonly description?: string;
  /** The contract of the document, or of each document of the list, that the field holds. */
  readonly nested?: { readonly contract: ContractClass; readonly list: boolean };
}

/** What the decorators of contract.decorators.ts leave beside a rule. */
interface RuleContext {
  readonly description?: string;
  readonly contract?: () => ContractClass;
}

/** The fields of a contract, those of its base class last. */
export function fieldsOf(contract: ContractClass): ContractField[] {
  const storage = getMetadataStorage();
  const rules = storage.getTargetValidationMetadatas(contract, '', false, false);
  return Object.entries(storage.groupByPropertyName(rules)).map(([name, own]) => fieldOf(name, own));
}

type StoredRule = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];

function fieldOf(name: string, rules: readonly StoredRule[]): ContractField {
  const contexts = rules.map(({ context }) => (context ?? {}) as RuleContext);
  const description = contexts.find((context) => context.description !== undefined)?.description;
  const contract = contexts.find((context) => context.contract !== undefined)?.contract;
  return {
    name,
    rules: rules
      .filter(({ type }) => type === ValidationTypes.CUSTOM_VALIDATION)
      .map((rule) => ({
        name: rule.name ?? rule.type,
        argument: (rule.constraints as unknown[] | undefined)?.[0],
      })),
    optional: rules.some(({ type }) => type === ValidationTypes.CONDITIONAL_VALIDATION),
    ...(description !== undefined && { description }),
    ...(contract !== undefined && {
      nested: { contract: contract(), list: rules.some(({ name: rule }) => rule === 'isArray') },
    }),
  };
}
