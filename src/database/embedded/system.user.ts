import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { NoUnprivilegedUserError } from './embedded.errors.js';

/** A user of the system as whom a program can be run. */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user as whom root runs PostgreSQL.
 * @throws NoUnprivilegedUserError when the system has none.
 */
export async function unprivilegedUser(): Promise<SystemUser> {
  const user = pickUnprivilegedUser(await readFile('/etc/passwd', 'utf8').catch(() => ''));
  if (user === undefined) throw new NoUnprivilegedUserError();
  return user;
}

/** `nobody`, or else the first user in the text of a passwd file who is not root. */
export function pickUnprivilegedUser(passwd: string): SystemUser | undefined {
  const users = passwd.split('\n').flatMap((line): SystemUser[] => {
    const [name, , uid, gid] = line.split(':');
    const user = { name: name ?? '', uid: Number(uid), gid: Number(gid) };
    return user.name !== '' && user.uid > 0 && user.gid > 0 ? [user] : [];
  });
  return users.find(({ name }) => name === 'nobody') ?? users[0];
}

/** The outermost directory on the way to `path`, `path` included, that the user cannot enter. */
export async function barrierOnWayTo(path: string, user: SystemUser): Promise<string | undefined> {
  const parent = dirname(path);
  const outer = parent === path ? undefined : await barrierOnWayTo(parent, user);
  if (outer !== undefined) return outer;
  const { mode, uid, gid } = await stat(path);
  // The kernel asks one class only: an owner without x is out even where all others may enter.
  const enter = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  return (mode & enter) === 0 ? path : undefined;
}
