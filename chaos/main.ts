import { Command, InvalidArgumentError } from 'commander';

import { FAULTS, runChaos, type Fault } from './run.js';

interface Options {
  readonly rounds: number;
  readonly seed: number;
  readonly faults: Fault[];
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

await new Command('npm run chaos --')
  .description(
    'Loads the service, does harm to it and its database, and checks that no acknowledged bar is lost.',
  )
  .option('--rounds <n>', 'faults to inflict', wholeNumber, 25)
  .option('--seed <n>', 'repeats a run', wholeNumber, Date.now() % 2 ** 31)
  .option('--faults <list>', `comma list of ${FAULTS.join(', ')}`, faultList, [...FAULTS])
  .action(async ({ rounds, seed, faults }: Options) => {
    print(`seed ${seed}`);
    const report = await runChaos({ rounds, seed, faults, log: print });
    print(`${report.acknowledged} bars acknowledged; ${report.refused} requests refused, ${report.cut} cut`);
    for (const fault of report.faults.slice(0, 20)) print(`BROKEN: ${fault}`);
    print(
      report.faults.length === 0 ? 'every promise was kept' : `${report.faults.length} broken; seed ${seed}`,
    );
    process.exitCode = report.faults.length === 0 ? 0 : 1;
  })
  .parseAsync();

function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function faultList(text: string): Fault[] {
  return text.split(',').map((name) => {
    const fault = FAULTS.find((one) => one === name.trim());
    if (fault === undefined) throw new InvalidArgumentError(`There is no fault ${JSON.stringify(name)}.`);
    return fault;
  });
}
