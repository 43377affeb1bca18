import { Command, InvalidArgumentError } from 'commander';

import { FAULTS, type Fault } from './faults/index.js';
import { runChaos } from './run.js';
import { SCENARIOS, type Scenario } from './scenarios/index.js';
import { SmallDisk } from './small.disk.js';

const BROKEN_SHOWN = 20;

interface Options {
  readonly rounds: number;
  readonly seed: number;
  readonly faults?: readonly Fault[];
  readonly scenario?: Scenario;
  readonly seconds: number;
  readonly mib: number;
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

await new Command('npm run chaos --')
  .description(
    'Loads the service, does harm to it and its database, and checks that no acknowledged bar is lost.',
  )
  .option('--rounds <n>', 'faults to inflict: each once, then as the seed says; or restarts', wholeNumber, 25)
  .option('--seed <n>', 'repeats a run', wholeNumber, Date.now() % 2 ** 31)
  .option(
    '--faults <list>',
    'comma list of faults; default all that this machine allows, but for the slow',
    faultList,
  )
  .option('--scenario <name>', 'instead of faults', scenarioOf)
  .option('--seconds <n>', 'of an outage; a backlog is watched for 20 of them', wholeNumber, 300)
  .option('--mib <n>', 'of a backlog', wholeNumber, 2_048)
  .addHelpText('after', `\nFaults:\n${listOf(FAULTS)}\n\nScenarios:\n${listOf(SCENARIOS)}`)
  .action(async (options: Options) => {
    print(`seed ${options.seed}`);
    const { scenario } = options;
    const broken = scenario ? await scenario.run({ ...options, log: print }) : await inflict(options);
    for (const sentence of broken.slice(0, BROKEN_SHOWN)) print(`BROKEN: ${sentence}`);
    print(broken.length === 0 ? 'every promise was kept' : `${broken.length} broken; seed ${options.seed}`);
    process.exitCode = broken.length === 0 ? 0 : 1;
  })
  .parseAsync();

async function inflict({ rounds, seed, faults }: Options): Promise<readonly string[]> {
  // The first ends the run in order, so that nothing of it is left; the second at once.
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort());
  const { broken, acknowledged, refused, cut, samples } = await runChaos({
    rounds,
    seed,
    faults: faults ?? allThatCanBe(),
    log: print,
    signal: interrupt.signal,
  });
  print(
    `${acknowledged} bars acknowledged; ${refused} requests refused, ${cut} cut; ${samples} looks at the books`,
  );
  return broken;
}

function allThatCanBe(): Fault[] {
  const obstacle = SmallDisk.obstacle();
  if (obstacle !== undefined) print(`without full disks: ${obstacle}`);
  return FAULTS.filter(({ smallDisks, slow }) => !slow && (!smallDisks || obstacle === undefined));
}

function listOf(entries: readonly { readonly name: string; readonly what: string }[]): string {
  return entries.map(({ name, what }) => `  ${name.padEnd(22)}${what}`).join('\n');
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

function scenarioOf(name: string): Scenario {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) throw new InvalidArgumentError(`There is no scenario ${JSON.stringify(name)}.`);
  return scenario;
}
