/** Runs the benchmarks that are named, or all: `npm run bench -- --help`. */
import { readCommand } from './command.line.js';
import { Releasers } from './process/releasers.js';
import { runEntry } from './run.entry.js';

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
  // What an interrupted benchmark fails with is only the end of what it worked with.
  if (interrupted.signal.aborted) await new Promise(() => undefined);
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
}
await releasers.release();
process.exit();

/** @returns the exit code */
async function main(): Promise<number> {
  const command = readCommand(process.argv.slice(2));
  if ('show' in command) {
    process.stdout.write(command.show);
    return command.exitCode;
  }
  const start = performance.now();
  const failed: string[] = [];
  for (const name of command.names) if (!(await runEntry(name, command, releasers))) failed.push(name);
  const verdict = failed.length > 0 ? `below a floor: ${failed.join(', ')}` : 'every floor holds';
  process.stdout.write(`\n${verdict}; took ${Math.round((performance.now() - start) / 1_000)} s\n`);
  return failed.length > 0 ? 1 : 0;
}
