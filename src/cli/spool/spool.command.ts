import { Option, type Command } from 'commander';

import type { ExitCode } from '../exit.codes.js';
import { timeArgument } from '../time.argument.js';
import { exportBars } from './export.js';
import { inspect } from './inspect.js';
import { repair } from './repair.js';
import { replay } from './replay.js';
import { verify } from './verify.js';

const TIMES = `
Times are RFC 3339 with a zone, YYYY-MM-DD, or epoch seconds; they are times of receipt, not of bars.`;

const EXIT_CODES = `
Exit codes: 0 done and sound, 1 damage was found, 2 wrong usage or a file that cannot be read or written.`;

/** Adds `mds spool ...`; `finish` takes the exit code of the command that ran. */
export function addSpoolCommands(program: Command, finish: (code: ExitCode) => void): void {
  const spool = program
    .command('spool')
    .description('look at, check and mend the bars that a service keeps on disk')
    .addHelpText('after', EXIT_CODES);
  const add = (name: string, description: string): Command =>
    spool
      .command(name)
      .description(description)
      .option(
        '--dir <path>',
        "the service's data directory (default: MDS_DATA_DIR, also from .env, or ./data)",
      );
  const since = () => new Option('--since <time>', 'received at this time or later').argParser(timeArgument);
  const json = (command: Command) => command.option('--json', 'as JSON');
  const dryRun = (command: Command) => command.option('--dry-run', 'only tell what would be done');
  const run =
    <O>(action: (options: O) => Promise<ExitCode>) =>
    async (options: O): Promise<void> =>
      finish(await action(options));

  json(add('inspect', 'what the spool holds; changes nothing, also while the service runs'))
    .addHelpText('after', EXIT_CODES)
    .action(run(inspect));

  json(add('verify', 'read every byte and check it; changes nothing, also while the service runs'))
    .addHelpText('after', `\nA torn tail, as a crash leaves it, is no damage.\n${EXIT_CODES}`)
    .action(run(verify));

  add('export', 'write the bars as text that can be posted back; changes nothing')
    .addOption(since())
    .addOption(new Option('--until <time>', 'received before this time').argParser(timeArgument))
    .option('--unsettled', 'only bars that are not known to be in the database')
    .addOption(
      new Option('--on-conflict <choice>', 'only bars that were sent so').choices(['replace', 'keep']),
    )
    .addOption(
      new Option('--format <format>', 'form of the text').choices(['ndjson', 'csv']).default('ndjson'),
    )
    .option('--out <file>', 'write to this file instead of standard output')
    .addHelpText('after', TIMES + EXIT_CODES)
    .action(run(exportBars));

  dryRun(json(add('repair', "put damaged bytes aside and cut torn tails of a stopped service's spool")))
    .option('--give-up', 'give up what the disk does not read, and count what is missing as lost')
    .addHelpText(
      'after',
      `
Every record that can be read stays. A segment of which the disk does not read some bytes is left alone, unless
--give-up says that they never will be read. Run it as the user of the service.
${EXIT_CODES}`,
    )
    .action(run(repair));

  dryRun(json(add('replay', 'have committed bars written again after the database lost commits')))
    .addOption(since().makeOptionMandatory())
    .addHelpText(
      'after',
      `
The service writes them when it starts next, at their own times of receipt: what was not lost stays as it is, and
no older version replaces a newer one. They are kept for MDS_SPOOL_RETAIN_SEC after their commit.
${TIMES}${EXIT_CODES}`,
    )
    .action(run(replay));
}
