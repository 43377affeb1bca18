import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';

import type { DocumentSchema } from '../core/near.documents.ts';

const CORE = resolve('test/contracts/core-1.1.0');
const SAMPLES = resolve('test/contracts/samples');

/** The schemas of Core v1.1.0 as its authors give them, by their `$id`. */
const SCHEMAS: ReadonlyMap<string, DocumentSchema> = new Map(
  readdirSync(CORE).map((file) => [file.replace('.schema.json', ''), readJson(CORE, file) as DocumentSchema]),
);

/** The `$id` of every contract of Core. */
export const CORE_NAMES = [...SCHEMAS.keys()];

/** A schema of Core, such as `telemetry.HealthStatus`. */
export function coreSchema(name: string): DocumentSchema {
  const schema = SCHEMAS.get(name);
  if (schema === undefined) throw new Error(`Core has no ${name}`);
  return schema;
}

/** Documents that Core's authors call valid or invalid, such as `HealthStatus.valid.json`. */
export function samplesOf(file: string): unknown[] {
  return readJson(SAMPLES, file) as unknown[];
}

/** The fields of a document that a schema refuses, nested ones with dots; empty when it accepts the document. */
export type Refusals = (document: unknown) => string[];

/** Compiles a schema. */
export function refusalsBy(schema: object): Refusals {
  const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(schema);
  return (document) => (validate(document) ? [] : fieldsOf(validate.errors ?? []));
}

function fieldsOf(errors: readonly ErrorObject[]): string[] {
  const fields = errors.map(({ instancePath, keyword, params }) => {
    const missing = keyword === 'required' ? [String(params['missingProperty'])] : [];
    const path = [...instancePath.split('/').slice(1), ...missing];
    // A map is one field, whatever the key that is wrong.
    const map = path.indexOf('details');
    return (map === -1 ? path : path.slice(0, map + 1)).join('.');
  });
  return [...new Set(fields)].sort();
}

function readJson(folder: string, file: string): unknown {
  return JSON.parse(readFileSync(join(folder, file), 'utf8'));
}
