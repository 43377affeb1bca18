import { Command, InvalidArgumentError } from 'commander';

import { FAULTS, type Fault } from './faults/index.js';
import { runChaos } from './run.js';
import { SmallDisk } from './small.disk.js';

const BROKEN_SHOWN = 20;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

await new Command('npm run chaos --')
  .description(
    'Loads the service, does harm to it and its database, and checks that no acknowledged bar is lost.',
  )
  .option('--rounds <n>', 'faults to inflict: each once, then as the seed says', wholeNumber, 25)
  .option('--seed <n>', 'repeats a run', wholeNumber, Date.now() % 2 ** 31)
  .option('--faults <list>', 'comma list of faults, or all that this machine allows', faultList)
  .addHelpText(
    'after',
    ['', 'Faults:', ...FAULTS.map(({ name, what }) => `  ${name.padEnd(22)}${what}`)].join('\n'),
  )
  .action(async (options: { rounds: number; seed: number; faults?: Fault[] }) => {
    const { rounds, seed, faults = await allThatCanBe() } = options;
    print(`seed ${seed}`);
    // The first ends the run in order, so that nothing of it is left; the second at once.
    const interrupt = new AbortController();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort());
    const { broken, ...counts } = await runChaos({
      rounds,
      seed,
      faults,
      log: print,
      signal: interrupt.signal,
    });
    print(
      `${counts.acknowledged} bars acknowledged; ${counts.refused} requests refused, ${counts.cut} cut; books read ${counts.samples} times`,
    );
    for (const sentence of broken.slice(0, BROKEN_SHOWN)) print(`BROKEN: ${sentence}`);
    print(broken.length === 0 ? 'every promise was kept' : `${broken.length} broken; seed ${seed}`);
    process.exitCode = broken.length === 0 ? 0 : 1;
  })
  .parseAsync();

async function allThatCanBe(): Promise<Fault[]> {
  const obstacle = await SmallDisk.obstacle();
  if (obstacle !== undefined) print(`without full disks: ${obstacle}`);
  return FAULTS.filter(({ smallDisks }) => !smallDisks || obstacle === undefined);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function faultList(text: string): Fault[] {
  return text.split(',').map((name) => {
    const fault = FAULTS.find((one) => one.name === name.trim());
    if (fault === undefined) throw new InvalidArgumentError(`There is no fault ${JSON.stringify(name)}.`);
    return fault;
  });
}
