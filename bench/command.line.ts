import { parseArgs } from 'node:util';

import { CATALOGUE } from './catalogue.js';

const USAGE = `npm run bench [-- [--rounds <n>] [--scale <share>] [--profile] <name> ...]

without a name: all
quick       what gates a release, with less data, within two minutes; fails below a floor
${Object.entries(CATALOGUE)
  .map(([name, { about }]) => `${name.padEnd(12)}${about}`)
  .join('\n')}

--rounds    turns of each contestant, instead of what the benchmark takes
--scale     share of the data, for a trial
--profile   also write a CPU profile and a flame graph of the service

Results go to bench/results, those of quick and of trials to bench/results/trial; npm run bench:report writes the
former into bench/README.md. The data lies in the system's directory for temporary files (TMPDIR): it should be on the disk
that is to be measured.
`;

/** What was asked for. */
export interface Command {
  readonly names: readonly string[];
  readonly quick: boolean;
  readonly rounds: number | undefined;
  readonly scale: number | undefined;
  readonly profile: boolean;
}

/** Reads the command line. @returns a text to show instead when it asks for help or cannot be understood */
export function readCommand(args: string[]): Command | { readonly show: string; readonly exitCode: number } {
  const refuse = (why: string) => ({ show: `${why}\n\n${USAGE}`, exitCode: 2 });
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: 'boolean' },
        profile: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        scale: { type: 'string' },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
  const { positionals, values } = parsed;
  if (values.help === true) return { show: USAGE, exitCode: 0 };
  const quick = positionals.length === 1 && positionals[0] === 'quick';
  const unknown = quick ? [] : positionals.filter((name) => !(name in CATALOGUE));
  if (unknown.length > 0) return refuse(`no benchmark ${unknown.join(', ')}`);
  const rounds = numberOf(values.rounds);
  const scale = numberOf(values.scale);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0))
    return refuse('--rounds is no count');
  if (scale !== undefined && !(scale > 0 && scale <= 1)) return refuse('--scale is not within 0 and 1');
  const names = Object.entries(CATALOGUE)
    .filter(([name, entry]) =>
      quick ? 'quick' in entry : positionals.length === 0 || positionals.includes(name),
    )
    .map(([name]) => name);
  return { names, quick, rounds, scale, profile: values.profile };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
