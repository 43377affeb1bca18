import { spawnSync } from 'node:child_process';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import {
  ClusterGoneError,
  ClusterOwnerError,
  ClusterUnreachableError,
  EmbeddedPostgres,
  readRunningUrl,
} from '../../src/database/embedded/index.js';
import { unprivilegedUser } from '../../src/database/embedded/system.user.js';
import { ask, EmbeddedService, processesOf } from '../support/embedded-service.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';

const ROOT = process.getuid?.() === 0;
const NOBODY = { uid: 65534, gid: 65534 };
/** Whether an ordinary user can run Node and read what was built here, as in a clone under `/root` he cannot. */
const OPEN =
  ROOT &&
  spawnSync(process.execPath, ['-e', 'fs.accessSync(process.argv[1])', resolve('dist/src/database')], {
    ...NOBODY,
    cwd: '/',
  }).status === 0;

const asRoot = ROOT ? it : it.skip;
const asAnother = OPEN ? it : it.skip;
const whyNot = ROOT ? '' : ' (skipped: the tests do not run as root)';
const whyNotAnother = OPEN ? '' : ' (skipped: the tests do not run as root in a place open to others)';

jest.setTimeout(90_000);

describe('the place of the embedded PostgreSQL', () => {
  let parent: string;
  let directory: string;
  let lines: string[];
  let server: EmbeddedPostgres;
  const homes: string[] = [];

  beforeEach(async () => {
    parent = await makeOpenDirectory();
    directory = join(parent, 'data', 'postgres');
    lines = [];
    server = embedded(directory);
  });

  afterEach(async () => {
    await server.stop();
    expect(processesOf(parent)).toEqual([]);
    for (const home of homes.splice(0)) await rm(home, { recursive: true, force: true });
    await removeDatabase(parent);
  });

  function embedded(at: string): EmbeddedPostgres {
    return new EmbeddedPostgres({ directory: at, log: (line) => lines.push(line), preferredPort: 0 });
  }

  /** The home elsewhere that a directory links to; removed after the test. */
  async function linkedHome(at = directory): Promise<string> {
    const home = await readlink(join(at, 'home'));
    homes.push(home);
    return home;
  }

  async function closeParent(): Promise<void> {
    await mkdir(join(parent, 'data'), { recursive: true });
    await chmod(join(parent, 'data'), 0o700);
  }

  asRoot(`is its directory when root's unprivileged user can get there${whyNot}`, async () => {
    const url = await server.start();
    expect(await ask(url, "SELECT current_setting('data_directory')")).toBe(
      join(directory, 'cluster', 'data'),
    );
    const { uid } = await unprivilegedUser();
    expect((await stat(join(directory, 'cluster', 'data', 'base'))).uid).toBe(uid);
    expect((await stat(join(directory, 'cluster', 'password'))).uid).toBe(uid);
  });

  asRoot(`is a durable one elsewhere, with a link to it, when he cannot${whyNot}`, async () => {
    await closeParent();
    const url = await server.start();
    const home = await linkedHome();
    expect(home).toMatch(/^\/var\/lib\/market-data-store\/postgres-\w{6}$/);
    expect(lines[0]).toBe(
      `the database lives in ${home}: PostgreSQL runs as nobody, who cannot enter ${join(parent, 'data')}`,
    );
    expect(await readdir(home)).toEqual(expect.arrayContaining(['cluster', 'runtime']));
    expect((await stat(join(home, 'cluster'))).mode & 0o777).toBe(0o700);
    expect(readRunningUrl(directory)).toBe(url);
    await ask(url, 'CREATE TABLE kept AS SELECT 5 AS n');
    await server.stop();

    expect(await ask(await server.start(), 'SELECT n FROM kept')).toBe(5);
    expect(await readlink(join(directory, 'home'))).toBe(home);
    await server.stop();
    expect(processesOf(home)).toEqual([]);
  });

  asRoot(`moves with its data directory, and a copy of that does not disturb it${whyNot}`, async () => {
    await closeParent();
    await server.start();
    await linkedHome();
    const copy = join(parent, 'data', 'copy');
    await cp(directory, copy, { recursive: true, verbatimSymlinks: true });
    await expect(embedded(copy).start()).rejects.toThrow(`is in use by process ${process.pid};`);
    expect(await ask(readRunningUrl(directory) ?? '', 'SELECT 1')).toBe(1);
    await server.stop();

    const moved = join(parent, 'data', 'moved');
    await rename(directory, moved);
    server = embedded(moved);
    expect(await ask(await server.start(), 'SELECT 1')).toBe(1);
  });

  asRoot(`is not silently replaced when it is gone${whyNot}`, async () => {
    await closeParent();
    await server.start();
    const home = await linkedHome();
    await server.stop();
    await rm(home, { recursive: true });
    await expect(server.start()).rejects.toThrow(ClusterGoneError);
    await rm(join(directory, 'home'));
    await server.start();
    await linkedHome();
  });

  asRoot(
    `stays where the cluster is, with a clear error when its user is shut out later${whyNot}`,
    async () => {
      await server.start();
      await server.stop();
      await closeParent();
      const refused = server.start();
      await expect(refused).rejects.toThrow(ClusterUnreachableError);
      await expect(refused).rejects.toThrow(`cannot enter ${join(parent, 'data')};`);
    },
  );

  asRoot(`is refused when the cluster was given to root${whyNot}`, async () => {
    await mkdir(join(directory, 'cluster'), { recursive: true });
    await expect(server.start()).rejects.toThrow(ClusterOwnerError);
  });

  asAnother(
    `is the ordinary user's directory, with all in it, and root goes on with it${whyNotAnother}`,
    async () => {
      await chown(parent, NOBODY.uid, NOBODY.gid);
      const service = new EmbeddedService(directory, NOBODY);
      const url = await service.said('url');
      expect(await ask(url, "SELECT current_setting('data_directory')")).toBe(
        join(directory, 'cluster', 'data'),
      );
      expect((await lstat(directory)).mode & 0o777).toBe(0o700);
      expect((await readdir(directory)).sort()).toEqual([
        'cluster',
        'runtime',
        expect.stringMatching(/^service\./),
        'url',
      ]);
      await service.kill();
      expect(await ask(await server.start(), 'SELECT 1')).toBe(1);
    },
  );

  asAnother(
    `is refused to an ordinary user when another user's cluster is there${whyNotAnother}`,
    async () => {
      await mkdir(join(directory, 'cluster'), { recursive: true });
      await chown(parent, NOBODY.uid, NOBODY.gid);
      await chown(directory, NOBODY.uid, NOBODY.gid);
      const service = new EmbeddedService(directory, NOBODY);
      expect(await service.said('failed')).toContain('belongs to root, as whom PostgreSQL does not run');
      await service.ended();
    },
  );

  it('is found though only this process can enter the directory: there as an ordinary user, elsewhere as root', async () => {
    const closed = await mkdtemp(join(tmpdir(), 'mds-closed-'));
    const own = embedded(join(closed, 'postgres'));
    const url = await own.start();
    expect(await ask(url, 'SELECT 1')).toBe(1);
    if (ROOT) await linkedHome(join(closed, 'postgres'));
    else expect(await readdir(join(closed, 'postgres'))).toContain('cluster');
    await own.stop();
    await rm(closed, { recursive: true });
  });
});
