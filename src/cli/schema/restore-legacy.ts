import { Client } from 'pg';

import {
  connectedServices,
  restoreLegacyTable,
  type Restored,
  type UnfitBars,
} from '../../bars/legacy/legacy.restore.js';
import { SymbolCase } from '../../bars/symbol.case.js';
import { formatTimestamp } from '../../bars/timestamp.js';
import { readProviderNames } from '../../config/rate.providers.setting.js';
import { CONNECT_LIMIT_MS } from '../../database/connect.limit.js';
import { CliError } from '../cli.error.js';
import { EXIT, type ExitCode } from '../exit.codes.js';
import { counted, textTable, type Column } from '../text.table.js';
import { withDatabase } from './database.place.js';

/** Series with unfit bars that are listed. */
const MOST_LISTED = 20;

/** Gives the earlier service its table back. */
export async function restoreLegacy(options: {
  readonly dir?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}): Promise<ExitCode> {
  const { dryRun = false, force = false, json } = options;
  const symbolCase = symbolCaseOf(process.env);
  const restored = await withDatabase({ dir: options.dir, force }, async (url) => {
    const client = new Client({
      connectionString: url,
      application_name: 'mds schema',
      connectionTimeoutMillis: CONNECT_LIMIT_MS,
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const services = force ? [] : await connectedServices(client);
      if (services.length > 0)
        throw new CliError(
          `a service is connected to this database (${services.join(', ')}); stop it, or say --force if these are connections that a pooler keeps`,
        );
      return await restoreLegacyTable(client, { dryRun, symbolCase });
    } finally {
      // Ends the transaction too, when it failed.
      await client.end();
    }
  });
  process.stdout.write(
    json ? `${JSON.stringify(jsonOf(restored, dryRun), null, 2)}\n` : textOf(restored, dryRun),
  );
  return restored.unfit.length > 0 ? EXIT.damaged : EXIT.sound;
}

function jsonOf({ written, rounded, unfit }: Restored, dryRun: boolean) {
  return { done: !dryRun, written, rounded, unfit };
}

const COLUMNS: readonly Column<UnfitBars>[] = [
  { title: 'PROVIDER', text: ({ provider }) => provider },
  { title: 'SYMBOL', text: ({ symbol }) => symbol },
  { title: 'INTERVAL', text: ({ interval }) => interval },
  { title: 'BARS', text: ({ rows }) => String(rows), right: true },
  { title: 'FROM', text: ({ first }) => formatTimestamp(first.getTime() * 1_000) },
  { title: 'UNTIL', text: ({ last }) => formatTimestamp(last.getTime() * 1_000) },
];

function textOf({ written, rounded, unfit }: Restored, dryRun: boolean): string {
  const bars = `${counted(written, 'bar')} stored or corrected since`;
  const lines = dryRun
    ? [`bars_ohlcv_legacy would be bars_ohlcv again, with ${bars}; nothing was changed.`]
    : [
        `bars_ohlcv is the earlier service's table again, with ${bars}.`,
        'The tables series, bars and bar_revisions stay. A service that is started on this database takes the table over once more.',
      ];
  if (rounded > 0) lines.push(`${counted(rounded, 'bar')} rounded to what the columns of the table hold.`);
  if (unfit.length > 0)
    lines.push(
      `${counted(sum(unfit), 'bar')} of ${unfit.length} series that the columns cannot hold, only in bars:`,
      textTable(COLUMNS, unfit.slice(0, MOST_LISTED)).trimEnd(),
    );
  return `${lines.join('\n')}\n`;
}

function sum(unfit: readonly UnfitBars[]): number {
  return unfit.reduce((total, { rows }) => total + rows, 0);
}

/** As the service has it; it matters when the copy had not begun to name the series. */
function symbolCaseOf({ MDS_CASE_SENSITIVE_PROVIDERS: list }: NodeJS.ProcessEnv): SymbolCase {
  const problems: string[] = [];
  const text = list?.trim() ?? '';
  const providers = text === '' ? [] : readProviderNames('MDS_CASE_SENSITIVE_PROVIDERS', text, problems);
  if (problems.length > 0) throw new CliError(problems.join('; '));
  return new SymbolCase(providers);
}
