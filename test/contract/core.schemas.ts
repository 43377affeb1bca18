import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** The JSON schemas and samples of Core v1.1.0, copied from Core as they are. */
const CONTRACTS = join('test', 'contracts');

/** Compiles a schema of Core, such as `telemetry.HealthStatus`. */
export async function coreSchema(name: string): Promise<ValidateFunction> {
  const schema = JSON.parse(
    await readFile(join(CONTRACTS, 'core-1.1.0', `${name}.schema.json`), 'utf8'),
  ) as object;
  return new Ajv2020({ allErrors: true }).compile(schema);
}

/** Reads a list of samples of Core, such as `HealthStatus.valid`. */
export async function coreSamples(name: string): Promise<unknown[]> {
  return JSON.parse(await readFile(join(CONTRACTS, 'samples', `${name}.json`), 'utf8')) as unknown[];
}
