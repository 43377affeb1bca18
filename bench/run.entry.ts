import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { CATALOGUE, type Measured } from './catalogue.js';
import type { Command } from './command.line.js';
import { holdsFloor } from './measurement.js';
import { endProcess } from './process/end.process.js';
import type { Releasers } from './process/releasers.js';
import { writeFlameGraph } from './profile/write.flame.graph.js';
import { circumstances, describe } from './report/machine.js';
import { keep, resultPath } from './report/results.file.js';
import { table } from './report/table.js';
import { Rig } from './rig.js';

/** Runs one benchmark, prints and keeps what it found. @returns whether every floor holds */
export async function runEntry(name: string, command: Command, releasers: Releasers): Promise<boolean> {
  const entry = CATALOGUE[name];
  if (entry === undefined) throw new Error(`no benchmark ${name}`);
  print(`\n== ${name}: ${entry.about}`);
  return 'program' in entry
    ? await runProgram(entry.program, releasers)
    : await measure(name, entry, command, releasers);
}

async function measure(
  name: string,
  { about, measure: measurement, quick, rounds }: Measured,
  command: Command,
  releasers: Releasers,
): Promise<boolean> {
  const start = performance.now();
  const usual = (command.quick ? quick : undefined) ?? { rounds, scale: 1 };
  const effort = { rounds: command.rounds ?? usual.rounds, scale: command.scale ?? usual.scale };
  const trial = command.quick || effort.scale < 1 || effort.rounds < rounds;
  const profile = command.profile ? await resultPath(name, 'cpuprofile', trial) : undefined;

  const rig = await Rig.start(releasers, profile);
  const outcome = await measurement(rig, effort, (line) => process.stderr.write(`   ${line}\n`));
  const taken = circumstances(await rig.serverVersion());
  await releasers.release();

  await keep({ name, about, taken, ...outcome }, trial);
  print(table(outcome));
  print(`${describe(taken)}; took ${Math.round((performance.now() - start) / 1_000)} s`);
  if (profile !== undefined) print(`flame graph: ${await writeFlameGraph(name, profile)}`);
  return outcome.comparisons.every(holdsFloor);
}

async function runProgram(program: string, releasers: Releasers): Promise<boolean> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, [path], { stdio: 'inherit' });
  releasers.add(() => endProcess(child));
  await once(child, 'exit');
  await releasers.release();
  return child.exitCode === 0;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
