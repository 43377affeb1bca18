import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import {
  CONTRACTS,
  ContractError,
  FeedbackEvent,
  HealthStatus,
  parseContract,
  RateAdjustment,
  schemaOf,
} from '../../src/core/index.js';
import { CORE_NAMES, coreSchema, refusalsBy, samplesOf, type Refusals } from '../support/core.schemas.ts';
import { documentsNear, keptOf } from './near.documents.ts';

const RUNS = { numRuns: 600 };

describe('the contracts are those of Core v1.1.0', () => {
  it('each contract of Core is here, and no other', () => {
    expect([...CONTRACTS.keys()].sort()).toEqual([...CORE_NAMES].sort());
  });

  it.each(CORE_NAMES)('%s: the schema of our class says what the schema of Core says', (name) => {
    expect(generated(name)).toEqual(coreSchema(name));
  });

  it.each(CORE_NAMES)(
    '%s: class and schema accept and refuse what Core does, and name the same fields',
    (name) => {
      const core = refusalsBy(coreSchema(name));
      const schema = refusalsBy(generated(name));
      const byClass = refusalsByClass(name);
      let accepted = 0;
      let refused = 0;
      fc.assert(
        fc.property(documentsNear(coreSchema(name)), (document) => {
          const expected = core(document);
          if (expected.length === 0) accepted += 1;
          else refused += 1;
          expect(schema(document)).toEqual(expected);
          expect(byClass(document)).toEqual(expected);
        }),
        RUNS,
      );
      // A generator that strays from validity, or never leaves it, would prove nothing.
      expect(Math.min(accepted, refused)).toBeGreaterThan(RUNS.numRuns / 100);
    },
  );

  it.each(classNames())('%s: what was read is written as Core wants it, with every known key', (name) => {
    const contract = CONTRACTS.get(name) as new () => object;
    const core = refusalsBy(coreSchema(name));
    fc.assert(
      fc.property(documentsNear(coreSchema(name)), (document) => {
        fc.pre(core(document).length === 0);
        const written: unknown = JSON.parse(JSON.stringify(parseContract(contract, document)));
        expect(core(written)).toEqual([]);
        const kept: unknown = JSON.parse(JSON.stringify(keptOf(coreSchema(name), document)));
        expect(written).toStrictEqual(kept);
      }),
      { ...RUNS, numRuns: 200, maxSkipsPerRun: 1_000 },
    );
  });
});

describe("Core's samples", () => {
  it.each([
    ['FeedbackEvent', FeedbackEvent],
    ['RateAdjustment', RateAdjustment],
    ['HealthStatus', HealthStatus],
  ])('every valid %s is read', (name, contract: new () => object) => {
    const samples = samplesOf(`${name}.valid.json`);
    expect(samples.length).toBeGreaterThan(0);
    for (const sample of samples) {
      expect(parseContract(contract, sample)).toBeInstanceOf(contract);
      expect(refusalsBy(generated(`telemetry.${name}`))(sample)).toEqual([]);
    }
  });

  it.each([
    ['FeedbackEvent', 'negative queue_size', 'queue_size', 'must not be less than 0'],
    ['FeedbackEvent', 'zero capacity', 'capacity', 'must be a positive number'],
    ['FeedbackEvent', 'unknown level', 'level', 'must be one of the following values: ok, soft, hard'],
    ['FeedbackEvent', 'missing ts', 'ts', 'is missing'],
    ['FeedbackEvent', 'fractional queue_size', 'queue_size', 'must be an integer number'],
    ['FeedbackEvent', 'ts is a string', 'ts', 'must be a number'],
    ['RateAdjustment', 'scale above 1', 'scale', 'must not be greater than 1'],
    ['RateAdjustment', 'negative scale', 'scale', 'must not be less than 0'],
    ['RateAdjustment', 'reason is no level', 'reason', 'must be one of the following values: ok, soft, hard'],
  ])('the %s with %s is refused, naming %s', (name, why, field, detail) => {
    const samples = samplesOf(`${name}.invalid.json`) as { why: string; event: unknown }[];
    const event = samples.find((sample) => sample.why === why)?.event;
    expect(violations(`telemetry.${name}`, event)).toEqual([{ field, detail }]);
    expect(refusalsBy(generated(`telemetry.${name}`))(event)).toEqual([field]);
  });

  it('no invalid sample is left out above', () => {
    expect(samplesOf('FeedbackEvent.invalid.json')).toHaveLength(6);
    expect(samplesOf('RateAdjustment.invalid.json')).toHaveLength(3);
  });
});

function generated(name: string): object {
  const contract = CONTRACTS.get(name);
  if (contract === undefined) throw new Error(`there is no contract ${name}`);
  return schemaOf(name, contract);
}

function classNames(): string[] {
  return [...CONTRACTS].flatMap(([name, contract]) => (typeof contract === 'function' ? [name] : []));
}

function refusalsByClass(name: string): Refusals {
  return (document) => violations(name, document).map(({ field }) => field);
}

function violations(name: string, document: unknown): { field: string; detail: string }[] {
  const contract = CONTRACTS.get(name);
  if (typeof contract !== 'function') {
    const known = contract?.some((word) => word === document) ?? false;
    return known ? [] : [{ field: '', detail: `is no ${name}` }];
  }
  try {
    parseContract(contract, document);
    return [];
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    return error.violations.toSorted((a, b) => (a.field < b.field ? -1 : 1));
  }
}
