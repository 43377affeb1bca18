import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { DataDirectory } from '../../src/config/data-directory.js';
import {
  DataDirectoryInUseError,
  DataDirectoryUnusableError,
} from '../../src/config/data-directory.error.js';

const CONTENDER = `
import { spawn } from 'node:child_process';
const { DataDirectory } = await import(process.argv[1]);
try {
  await DataDirectory.acquire(process.argv[2]);
  if (process.argv[3] === 'with-child') {
    const child = spawn('sleep', ['60'], { stdio: 'ignore', detached: true });
    console.log('holds', child.pid);
  } else console.log('holds');
  setInterval(() => undefined, 1000);
} catch (error) {
  console.log(error.message);
}
`;

/** Only root may give a directory to another user. */
const asRoot = process.getuid?.() === 0 ? it : it.skip;
const OTHER = 12_345;

describe('the data directory', () => {
  let parent: string;
  let path: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'mds-lock-'));
    path = join(parent, 'data');
  });

  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await rm(parent, { recursive: true, force: true });
  });

  /** Starts a process that wants the directory; resolves with its first line. */
  const contend = (...args: string[]) => contendAs({}, ...args);

  async function contendAs(
    user: { uid?: number; gid?: number },
    ...args: string[]
  ): Promise<{ child: ChildProcess; says: string }> {
    const built = pathToFileURL(resolve('dist/src/config/data-directory.js')).href;
    const child = spawn(process.execPath, ['--input-type=module', '-e', CONTENDER, built, path, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      ...user,
    });
    children.push(child);
    const [says] = (await once(createInterface(child.stdout), 'line')) as [string];
    return { child, says };
  }

  async function kill(child: ChildProcess): Promise<void> {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  it('is made with its parents when it is absent, and not open to others', async () => {
    const deep = await DataDirectory.acquire(relative(process.cwd(), join(path, 'a', 'b')));
    expect(deep.path).toBe(join(path, 'a', 'b'));
    expect((await stat(deep.path)).mode & 0o766).toBe(0o700);
    await deep.release();
  });

  it('keeps the mode of a directory that was there', async () => {
    await mkdir(path, { mode: 0o750 });
    const held = await DataDirectory.acquire(path);
    expect((await stat(path)).mode & 0o777).toBe(0o750);
    await held.release();
  });

  it('is refused when every user may write to it, unless it is sticky', async () => {
    await mkdir(path);
    await chmod(path, 0o777);
    await expect(DataDirectory.acquire(path)).rejects.toThrow(
      `the data directory ${path} cannot be used: every user may write to it: \`chmod o-w\` it, or set MDS_DATA_DIR to a new folder in it`,
    );
    expect(await readdir(path)).toEqual([]);
    await (await DataDirectory.acquire(join(path, 'new'))).release();
    await chmod(path, 0o1777);
    await (await DataDirectory.acquire(path)).release();
  });

  it.each(['spool', 'dlq', 'postgres'])('is refused when %s in it is a link', async (name) => {
    await mkdir(join(path, 'elsewhere'), { recursive: true });
    await symlink(join(path, 'elsewhere'), join(path, name));
    await expect(DataDirectory.acquire(path)).rejects.toThrow(
      `the data directory ${path} cannot be used: \`${name}\` in it is a link`,
    );
    expect(await readdir(join(path, 'elsewhere'))).toEqual([]);
  });

  it('may itself be a link', async () => {
    await mkdir(path);
    await symlink(path, join(parent, 'link'));
    await (await DataDirectory.acquire(join(parent, 'link'))).release();
  });

  asRoot('is refused when it belongs to another user', async () => {
    await mkdir(path);
    await chown(path, OTHER, 0);
    await expect(DataDirectory.acquire(path)).rejects.toThrow(
      `it belongs to user ${OTHER}, and this service runs as user 0: give it the directory with \`chown 0\``,
    );
  });

  asRoot('of a volume of Kubernetes is for those of its group alone', async () => {
    await mkdir(path);
    await chown(path, 0, OTHER);
    // What `fsGroup` makes of a volume.
    await chmod(path, 0o2775);
    await chmod(parent, 0o755);
    await expect(DataDirectory.acquire(path)).rejects.toThrow(
      `group ${OTHER}, of which this service is no member, may write to it`,
    );
    expect((await contendAs({ uid: OTHER, gid: OTHER })).says).toBe('holds');
  });

  it('is given to nobody else while it is held, and again after its release', async () => {
    const first = await DataDirectory.acquire(path);
    await expect(DataDirectory.acquire(path)).rejects.toThrow(
      `the data directory ${path} is in use by process ${process.pid}; stop it or set MDS_DATA_DIR to another directory`,
    );
    await first.release();
    await first.release();
    expect(await readdir(path)).toEqual([]);
    const second = await DataDirectory.acquire(path);
    await second.release();
  });

  it('names the process that holds it', async () => {
    const { child, says } = await contend();
    expect(says).toBe('holds');
    const refusal = await DataDirectory.acquire(path).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DataDirectoryInUseError);
    expect(refusal).toMatchObject({ path, pid: child.pid });
  });

  it('is free once its holder was killed with -9, and the traces of the dead are removed', async () => {
    const { child } = await contend();
    await kill(child);
    expect(await readdir(path)).toHaveLength(1);
    const held = await DataDirectory.acquire(path);
    expect(await readdir(path)).toHaveLength(1);
    await held.release();
    expect(await readdir(path)).toHaveLength(0);
  });

  it('is cleared of what a process left that was killed before it stood for it', async () => {
    await mkdir(path);
    const left = 'service.99999.0123456789abcdef.lock.tmp';
    await writeFile(join(path, left), '');
    const held = await DataDirectory.acquire(path);
    expect(await readdir(path)).not.toContain(left);
    await held.release();
  });

  it('does not stay taken by a program that the killed holder had started', async () => {
    const { child, says } = await contend('with-child');
    const program = Number(says.split(' ')[1]);
    await kill(child);
    const held = await DataDirectory.acquire(path);
    await held.release();
    process.kill(program, 'SIGKILL');
  });

  it('stays taken while its holder is suspended', async () => {
    const { child } = await contend();
    child.kill('SIGSTOP');
    await expect(DataDirectory.acquire(path)).rejects.toThrow(`in use by process ${child.pid ?? 0};`);
  });

  it('goes to exactly one of many who want it at once, in one process', async () => {
    for (let round = 0; round < 20; round += 1) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, () => DataDirectory.acquire(path)),
      );
      const winners = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      expect(winners).toHaveLength(1);
      await winners[0]?.release();
    }
  });

  it('goes to exactly one of many processes who find the lock of a dead one', async () => {
    for (let round = 0; round < 3; round += 1) {
      const contenders = await Promise.all(Array.from({ length: 8 }, () => contend()));
      const winners = contenders.filter(({ says }) => says === 'holds');
      expect(winners).toHaveLength(1);
      for (const { says } of contenders) expect(says).toMatch(/^holds$|in use by process \d+;/);
      await Promise.all(winners.map(({ child }) => kill(child)));
    }
  });

  it('is locked though its path is longer than a socket address', async () => {
    path = join(parent, 'x'.repeat(120), 'y'.repeat(120));
    const { says } = await contend();
    expect(says).toBe('holds');
    await expect(DataDirectory.acquire(path)).rejects.toThrow(DataDirectoryInUseError);
  });

  it('says so when it cannot be made', async () => {
    await writeFile(path, 'a file');
    await expect(DataDirectory.acquire(join(path, 'below'))).rejects.toThrow(DataDirectoryUnusableError);
    await expect(DataDirectory.acquire(path)).rejects.toThrow(`the data directory ${path} cannot be used: `);
  });
});
