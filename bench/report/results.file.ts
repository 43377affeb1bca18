import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Outcome } from '../measurement.js';
import type { Circumstances } from './machine.js';
import { plot } from './plot.js';

/** `bench/results`, seen from the compiled place of this file. Trials are not committed and not reported. */
const FOLDER = fileURLToPath(new URL('../../../bench/results/', import.meta.url));

/** What is kept of a measurement. */
export interface Kept extends Outcome {
  readonly name: string;
  readonly about: string;
  readonly taken: Circumstances;
}

/** Path of a result, its folder made. */
export async function resultPath(name: string, extension: string, trial: boolean): Promise<string> {
  const folder = trial ? join(FOLDER, 'trial') : FOLDER;
  await mkdir(folder, { recursive: true });
  return join(folder, `${name}.${extension}`);
}

/** Writes what was measured, as numbers and as a drawing. */
export async function keep(kept: Kept, trial: boolean): Promise<void> {
  const { about, name } = kept;
  await writeFile(await resultPath(name, 'json', trial), `${JSON.stringify(kept, rounded, 2)}\n`);
  await writeFile(await resultPath(name, 'svg', trial), plot(about, kept));
}

/** Everything that is kept, by name. */
export async function readKept(): Promise<Map<string, Kept>> {
  await mkdir(FOLDER, { recursive: true });
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.json'));
  const all = await Promise.all(
    files.map(async (file) => JSON.parse(await readFile(join(FOLDER, file), 'utf8')) as Kept),
  );
  return new Map(all.map((kept) => [kept.name, kept]));
}

/** Six digits: the rest is noise. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}
