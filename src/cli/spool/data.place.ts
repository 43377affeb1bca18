import { stat } from 'node:fs/promises';

import { DataDirectoryLock } from '../../config/data-directory.lock.js';
import { dataDirectoryPath } from '../../config/data-directory.path.js';
import { CliError } from '../cli.error.js';

/** A service's data directory, stopped or in use. */
export interface DataPlace {
  readonly root: string;
  readonly spool: string;
  /** Undefined when the directory never had a dead letter. */
  readonly deadLetters: string | undefined;
  /** Process id of the service that runs on it. */
  readonly holder: number | undefined;
}

/**
 * The directory given, or the one that MDS_DATA_DIR names, or ./data.
 * @throws CliError when there is no spool in it
 */
export async function findPlace(directory: string | undefined): Promise<DataPlace> {
  const root = dataDirectoryPath(directory ?? process.env['MDS_DATA_DIR']);
  const spool = `${root}/spool`;
  if (!(await isDirectory(spool)))
    throw new CliError(
      `there is no spool in ${root}; name the service's data directory with --dir or MDS_DATA_DIR`,
    );
  const deadLetters = `${root}/dlq`;
  return {
    root,
    spool,
    deadLetters: (await isDirectory(deadLetters)) ? deadLetters : undefined,
    holder: await DataDirectoryLock.holder(root),
  };
}

/**
 * Files that root makes cannot be read by a service that runs as another user.
 * @throws CliError when this process runs as another user than the one whose spool it is
 */
export async function requireOwner({ spool }: DataPlace): Promise<void> {
  const { uid } = await stat(spool);
  const own = process.getuid?.() ?? uid;
  if (own !== uid)
    throw new CliError(
      `${spool} belongs to user ${uid} and this is user ${own}; run it as the user of the service`,
    );
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
