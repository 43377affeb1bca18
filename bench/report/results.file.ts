import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import type { Outcome } from '../measurement.js';
import type { Circumstances } from './machine.js';

/** The folder, from the compiled place of this file. */
const FOLDER = fileURLToPath(new URL('../../../bench/results/', import.meta.url));

/** What is kept of a measurement. */
export interface Kept extends Outcome {
  readonly name: string;
  readonly taken: Circumstances;
}

/** Path of a file in `bench/results`. */
export function resultsPath(file: string): string {
  return FOLDER + file;
}

/** Writes what was measured, for the report and for those who compare. */
export async function keep(kept: Kept): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  await writeFile(resultsPath(`${kept.name}.json`), `${JSON.stringify(kept, rounded, 2)}\n`);
}

/** Six digits: the rest is noise. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}
