import { readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FILE = 'url';

/** The URL of the server that runs for this directory, for tools beside the service; undefined when none does. */
export function readRunningUrl(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, FILE), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Publishes the URL, which holds the password, to the owner of the process alone. */
export async function writeRunningUrl(directory: string, url: string): Promise<void> {
  const unfinished = join(directory, `${FILE}.tmp`);
  await rm(unfinished, { force: true });
  await writeFile(unfinished, `${url}\n`, { mode: 0o600 });
  await rename(unfinished, join(directory, FILE));
}

/** Takes the URL back. */
export async function removeRunningUrl(directory: string): Promise<void> {
  await rm(join(directory, FILE), { force: true });
}
