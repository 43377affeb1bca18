import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
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
  async function contend(...args: string[]): Promise<{ child: ChildProcess; says: string }> {
    const built = pathToFileURL(resolve('dist/src/config/data-directory.js')).href;
    const child = spawn(process.execPath, ['--input-type=module', '-e', CONTENDER, built, path, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
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
