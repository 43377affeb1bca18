import { constants } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What the service makes in the data directory. */
const FOLDERS = ['spool', 'dlq', 'postgres'];

/** Those who may write to a sticky directory may not remove or replace what others have in it. */
const STICKY = 0o1000;

/**
 * Why the bars are not safe in a directory from other users of the machine; undefined: they are.
 * @param path a directory that is there
 */
export async function reasonToDistrust(path: string): Promise<string | undefined> {
  const self = process.geteuid?.();
  if (self === undefined) return undefined;
  const { uid, gid, mode } = await stat(path);
  if (uid !== self && uid !== 0)
    return `it belongs to user ${uid}, and this service runs as user ${self}: give it the directory with \`chown ${self}\`, or run it as user ${uid}`;
  if (!(mode & STICKY)) {
    if (mode & constants.S_IWOTH)
      return 'every user may write to it: `chmod o-w` it, or set MDS_DATA_DIR to a new folder in it, which the service makes for itself';
    if (mode & constants.S_IWGRP && !ownGroups().includes(gid))
      return `group ${gid}, of which this service is no member, may write to it: \`chmod g-w\` it, or run the service in that group`;
  }
  return await reasonOfLink(path);
}

/** Through a link the service would make, change and remove files where somebody else wants it to. */
async function reasonOfLink(path: string): Promise<string | undefined> {
  for (const name of FOLDERS) {
    const found = await lstat(join(path, name)).catch(() => undefined);
    if (found?.isSymbolicLink() === true)
      return `\`${name}\` in it is a link, and links are not followed there: move what it leads to in its place, or mount it there`;
  }
  return undefined;
}

function ownGroups(): number[] {
  return [process.getegid?.() ?? -1, ...(process.getgroups?.() ?? [])];
}
