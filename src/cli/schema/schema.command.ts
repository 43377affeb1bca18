import type { Command } from 'commander';

import type { ExitCode } from '../exit.codes.js';
import { restoreLegacy } from './restore-legacy.js';

/** Adds `mds schema ...`; `finish` takes the exit code of the command that ran. */
export function addSchemaCommands(program: Command, finish: (code: ExitCode) => void): void {
  const schema = program.command('schema').description("change the database's schema by hand");
  schema
    .command('restore-legacy')
    .description('go back to the earlier service: give its table bars_ohlcv back, with the bars stored since')
    .option('--dir <path>', "the service's data directory (default: MDS_DATA_DIR, also from .env, or ./data)")
    .option('--dry-run', 'only tell what would be done')
    .option('--force', 'also when a service seems to run, bars wait in the spool, or no spool is found')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Stop every service first. The view bars_ohlcv is dropped, bars_ohlcv_legacy gets its name back, and bars that were
stored or corrected since are written into it, with their time of receipt as updated_at. One transaction: it is done
whole or not at all. The tables series, bars and bar_revisions stay, so that nothing is lost; when the service is started
again it takes the table over once more.

The database is that of ADMIN_DATABASE_URL, or DATABASE_URL, also from .env; without them the embedded one of the data
directory.

Exit codes: 0 done, 1 done but for bars that the columns of the earlier table cannot hold, 2 not done.`,
    )
    .action(async (options: Parameters<typeof restoreLegacy>[0]) => finish(await restoreLegacy(options)));
}
