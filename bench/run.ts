/** Runs the benchmarks that are named, or all: `npm run bench -- --help`. */
import { parseArgs } from 'node:util';

import { CATALOGUE, type Entry } from './catalogue.js';
import { runEntry } from './run.entry.js';
import { Releasers } from './process/releasers.js';

const USAGE = `npm run bench [-- [--rounds <n>] [--profile] <name> ...]

without a name: all
quick       what gates a release, in less data, within two minutes; fails below a floor
${Object.entries(CATALOGUE)
  .map(([name, { about }]) => `${name.padEnd(12)}${about}`)
  .join('\n')}

--rounds    turns of each contestant; default 5
--profile   also write a CPU profile and a flame graph of the service

Results go to bench/results. The data lies in the system's directory for temporary files (TMPDIR): it should be on
the disk that is to be measured.
`;

const releasers = new Releasers();
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted.abort();
    void releasers.release().finally(() => process.exit(130));
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  // What an interrupted benchmark fails with is the end of what it worked with.
  if (interrupted.signal.aborted) await new Promise(() => undefined);
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
}
await releasers.release();
process.exit();

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      profile: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
    },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const quick = positionals.length === 1 && positionals[0] === 'quick';
  const unknown = quick ? [] : positionals.filter((name) => !(name in CATALOGUE));
  const rounds = Number(values.rounds);
  if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
    process.stderr.write(
      `${unknown.length > 0 ? `no benchmark ${unknown.join(', ')}` : 'rounds?'}\n\n${USAGE}`,
    );
    return 2;
  }
  const chosen = (name: string, entry: Entry): boolean =>
    quick ? entry.quick !== undefined : positionals.length === 0 || positionals.includes(name);
  const failed: string[] = [];
  for (const [name, entry] of Object.entries(CATALOGUE)) {
    if (!chosen(name, entry)) continue;
    const how = { name, entry, quick, rounds, profile: values.profile };
    if (!(await runEntry(how, releasers))) failed.push(name);
  }
  if (failed.length > 0) process.stdout.write(`\nbelow a floor: ${failed.join(', ')}\n`);
  return failed.length > 0 ? 1 : 0;
}
