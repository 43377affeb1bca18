import { Command, InvalidArgumentError } from 'commander';

import { FAULTS, type Fault, type Need } from './faults/index.js';
import { LongRun } from './long.run.js';
import { PgBouncer } from './pgbouncer.js';
import { obstacleOf } from './plan.js';
import { SCENARIOS, type Scenario } from './scenarios/index.js';

const BROKEN_SHOWN = 40;
const MOST_SERVICES = 2;

interface Options {
  readonly rounds: number;
  readonly minutes?: number;
  readonly seed: number;
  readonly faults?: readonly Fault[];
  readonly services?: number;
  readonly pooler?: boolean;
  readonly scenario?: Scenario;
  readonly seconds: number;
  readonly mib: number;
  readonly from: string;
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

await new Command('npm run chaos --')
  .description(
    'Loads services, does harm to them and their database, and compares every bar and its history with what was sent.',
  )
  .option('--rounds <n>', 'faults to inflict: each once, then as the seed says; or restarts', wholeNumber, 25)
  .option('--minutes <n>', 'run after run of so many rounds, each with the next seed', wholeNumber)
  .option('--seed <n>', 'repeats a run', wholeNumber, Date.now() % 2 ** 31)
  .option(
    '--faults <list>',
    'comma list of faults; default all that this machine allows, but for the slow',
    faultList,
  )
  .option('--services <n>', '1 or 2 on the one database; default as the seed says', serviceCount)
  .option('--pooler', 'the services reach PostgreSQL through PgBouncer; default as the seed says')
  .option('--no-pooler', 'they do not')
  .option('--scenario <name>', 'instead of faults', scenarioOf)
  .option('--seconds <n>', 'of an outage, an attack; a backlog is watched for 20 of them', wholeNumber, 300)
  .option('--mib <n>', 'of a backlog', wholeNumber, 2_048)
  .option('--from <revision>', 'of git, for an upgrade', 'HEAD~1')
  .addHelpText('after', `\nFaults:\n${listOf(FAULTS)}\n\nScenarios:\n${listOf(SCENARIOS)}`)
  .action(async (options: Options) => {
    print(`seed ${options.seed}`);
    const { scenario } = options;
    const { broken, figures } = scenario
      ? { broken: await scenario.run({ ...options, log: print }), figures: {} }
      : await inflict(options);
    for (const sentence of broken.slice(0, BROKEN_SHOWN)) print(`BROKEN: ${sentence}`);
    print(broken.length === 0 ? 'every promise was kept' : `${broken.length} broken; seed ${options.seed}`);
    print(JSON.stringify({ seed: options.seed, ...figures, broken: broken.length }));
    process.exitCode = broken.length === 0 ? 0 : 1;
  })
  .parseAsync()
  .catch((error: unknown) => {
    // What cannot be done here: nothing was found.
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  });

async function inflict({ rounds, minutes, seed, faults, services, pooler }: Options) {
  // The first ends the run in order, so that nothing of it is left; the second at once.
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (interrupt.signal.aborted) process.exit(2);
      interrupt.abort();
    });
  }
  if (faults === undefined) sayWhatIsLeftOut();
  const run = new LongRun({
    ...{ rounds, minutes, seed, services, pooler, log: print, signal: interrupt.signal },
    faults: faults ?? FAULTS.filter(({ slow }) => !slow),
    isNamed: faults !== undefined,
  });
  const { broken, ...figures } = await run.run();
  print(
    `${figures.runs} runs, ${figures.rounds} rounds in ${figures.minutes} min; ${figures.acknowledged} bars acknowledged, ` +
      `${figures.compared} compared; ${figures.refused} requests refused, ${figures.cut} cut; ` +
      `${figures.restarts} restarts; ${figures.looks} looks at the books; ` +
      `bars flowed again after ${(figures.longestWaitMs / 1_000).toFixed(1)} s at most`,
  );
  for (const [name, count] of Object.entries(figures.faults)) print(`  ${name.padEnd(28)}${count}`);
  return { broken, figures };
}

/** A run that leaves something out says so, and why. */
function sayWhatIsLeftOut(): void {
  for (const need of ['small-disks', 'preload'] satisfies Need[]) {
    const obstacle = obstacleOf(need);
    const names = FAULTS.filter(({ needs }) => needs?.includes(need)).map(({ name }) => name);
    if (obstacle !== undefined) print(`without ${names.join(', ')}: ${obstacle}`);
  }
  const obstacle = PgBouncer.obstacle();
  if (obstacle !== undefined) print(`without PgBouncer: ${obstacle}`);
}

function listOf(entries: readonly { readonly name: string; readonly what: string }[]): string {
  return entries.map(({ name, what }) => `  ${name.padEnd(28)}${what}`).join('\n');
}

function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function serviceCount(text: string): number {
  const count = wholeNumber(text);
  if (count < 1 || count > MOST_SERVICES) throw new InvalidArgumentError('It must be 1 or 2.');
  return count;
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
