import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { Entry } from './catalogue.js';
import { holdsFloor, type Measurement } from './measurement.js';
import type { Releasers } from './process/releasers.js';
import { endProcess } from './process/end.process.js';
import { circumstances, describe } from './report/machine.js';
import { keep, resultsPath } from './report/results.file.js';
import { table } from './report/table.js';
import { Rig } from './rig.js';

/** What to run, and how. */
export interface Asked {
  readonly name: string;
  readonly entry: Entry;
  readonly quick: boolean;
  readonly rounds: number;
  readonly profile: boolean;
}

/** Runs one benchmark and prints and keeps what it found. @returns whether every floor holds */
export async function runEntry(asked: Asked, releasers: Releasers): Promise<boolean> {
  const { entry, name } = asked;
  print(`\n== ${name}: ${entry.about}`);
  if (entry.program !== undefined) return await runProgram(entry.program, releasers);
  if (entry.measure === undefined) throw new Error(`${name} has nothing to run`);
  return await measure(asked, entry.measure, releasers);
}

async function measure(
  { entry, name, profile, quick, rounds }: Asked,
  measurement: Measurement,
  releasers: Releasers,
): Promise<boolean> {
  const start = performance.now();
  const rig = await Rig.start(releasers, profile ? resultsPath(`${name}.cpuprofile`) : undefined);
  const effort = (quick ? entry.quick : undefined) ?? { rounds: entry.rounds ?? rounds, scale: 1 };
  const outcome = await measurement(rig, effort, (line) => process.stderr.write(`   ${line}\n`));
  const [server] = await rig.query<{ server_version: string }>('SHOW server_version');
  await releasers.release();
  const taken = circumstances(server?.server_version ?? 'unknown');
  await keep({ name: quick ? `quick.${name}` : name, taken, ...outcome });
  const seconds = Math.round((performance.now() - start) / 1_000);
  print(`${table(outcome)}\n${describe(taken)}; took ${seconds} s`);
  return outcome.comparisons.every(holdsFloor);
}

async function runProgram(program: string, releasers: Releasers): Promise<boolean> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url))], {
    stdio: 'inherit',
  });
  releasers.add(() => endProcess(child));
  await once(child, 'exit');
  await releasers.release();
  return child.exitCode === 0;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
