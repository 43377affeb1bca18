import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { DataDirectory } from '../../config/data-directory.js';
import { dataDirectoryPath } from '../../config/data-directory.path.js';
import { isPostgresUrl } from '../../config/postgres.url.js';
import { EmbeddedPostgres } from '../../database/embedded/index.js';
import { CliError } from '../cli.error.js';
import { findPlace } from '../spool/data.place.js';
import { reportOf } from '../spool/inspect.js';
import { counted } from '../text.table.js';

/** Which data directory, and whether bars may wait in its spool. */
export interface DatabasePlace {
  readonly dir: string | undefined;
  readonly force: boolean;
}

/**
 * Does something with the database of a stopped service: that of the settings, or the embedded one of its data
 * directory, which runs meanwhile. No service can start on the data directory until it is done.
 * @throws CliError when there is none, when bars wait in the spool, or when no spool is found
 */
export async function withDatabase<T>(
  { dir, force }: DatabasePlace,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const root = dataDirectoryPath(dir ?? process.env['MDS_DATA_DIR']);
  const url = settingOf('ADMIN_DATABASE_URL') ?? settingOf('DATABASE_URL');
  if (url !== undefined && !isPostgresUrl(url))
    throw new CliError('ADMIN_DATABASE_URL or DATABASE_URL is not a URL of PostgreSQL');
  const hasDirectory = await isThere(root);
  if (url === undefined && !(await isThere(join(root, 'postgres'))))
    throw new CliError(
      `there is no DATABASE_URL, and no embedded database in ${root}; set one, or name the data directory with --dir`,
    );
  const lock = hasDirectory ? await DataDirectory.acquire(root) : undefined;
  try {
    if (!force) await requireWritten(root, url);
    return url === undefined ? await withEmbedded(root, work) : await work(url);
  } finally {
    await lock?.release();
  }
}

/** Bars that wait in the spool would not be in what is given back. `url`: of a database that is not in the directory. */
async function requireWritten(root: string, url: string | undefined): Promise<void> {
  if (!(await isThere(join(root, 'spool')))) {
    if (url === undefined) return;
    throw new CliError(
      `there is no spool in ${root}, and bars may wait in another directory: name the service's data directory with --dir or MDS_DATA_DIR; or say --force`,
    );
  }
  const { totals } = await reportOf(await findPlace(root));
  if (totals.unsettled_rows > 0)
    throw new CliError(
      `${counted(totals.unsettled_rows, 'row')} in the spool of ${root} may not be in the database: start the service, stop it when GET /v1/coordinator says that none is spooled, and try again; or say --force`,
    );
}

async function withEmbedded<T>(root: string, work: (url: string) => Promise<T>): Promise<T> {
  const server = new EmbeddedPostgres({
    directory: join(root, 'postgres'),
    log: (line) => void process.stderr.write(`${line}\n`),
  });
  try {
    return await work(await server.start());
  } finally {
    await server.stop();
  }
}

function settingOf(name: string): string | undefined {
  const text = process.env[name]?.trim();
  return text === '' ? undefined : text;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
