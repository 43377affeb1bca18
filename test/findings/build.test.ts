import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { DataDirectory } from '../../src/config/data-directory.js';

/** The parts by which a running service is noticed; they import nothing else. */
const LOCK = ['data-directory.error', 'data-directory.lock', 'data-directory.path', 'data-directory.peer'];

let project: string;
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'mds-build-'));
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json'])
    copyFileSync(name, join(project, name));
  symlinkSync(resolve('node_modules'), join(project, 'node_modules'));
  write(
    'tsconfig.build.json',
    readFileSync('tsconfig.build.json', 'utf8').replace(/"include".*/, '"include": ["src"]'),
  );
  write('scripts/build.mjs', readFileSync('scripts/build.mjs', 'utf8'));
  for (const name of [...LOCK, 'environment.file', 'units'])
    write(`src/config/${name}.ts`, readFileSync(`src/config/${name}.ts`, 'utf8'));
  write('src/one.ts', 'export const one = 1;\n');
  write('src/two.ts', 'export const two = 2;\n');
});
afterEach(() => rmSync(project, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  writeFileSync(join(project, path), text);
}

function build(...options: string[]): { code: number | null; output: string } {
  const env = { PATH: process.env['PATH'] };
  const run = spawnSync(process.execPath, ['scripts/build.mjs', ...options], { cwd: project, env });
  return { code: run.status, output: `${run.stdout.toString()}${run.stderr.toString()}` };
}

const made = (path: string) => readFileSync(join(project, 'dist', path), 'utf8');
/** Another one than before, when the folder was replaced. */
const folder = () => statSync(join(project, 'dist')).ino;
const leftovers = () => readdirSync(project).filter((name) => name.startsWith('dist.'));

describe('D5: a build', () => {
  it('does nothing when no source has changed, and then replaces the folder and only what has changed', () => {
    expect(build()).toEqual({ code: 0, output: '' });
    const first = folder();
    write('dist/src/two.js', 'marked');
    expect(build()).toEqual({ code: 0, output: 'dist/ is up to date\n' });
    expect(folder()).toBe(first);

    write('src/one.ts', 'export const one = 11;\n');
    expect(build().code).toBe(0);
    expect(made('src/one.js')).toContain('11');
    expect(folder()).not.toBe(first);
    expect(made('src/two.js')).toBe('marked');
    expect(leftovers()).toEqual([]);
  });

  it('leaves nothing of a source that is gone', () => {
    build();
    rmSync(join(project, 'src/two.ts'));
    expect(build().code).toBe(0);
    expect([
      existsSync(join(project, 'dist/src/two.js')),
      existsSync(join(project, 'dist/src/two.js.map')),
    ]).toEqual([false, false]);
    expect(made('src/one.js')).toContain('1');
  });

  it('that fails changes nothing, and is made again', () => {
    build();
    const first = folder();
    write('src/one.ts', 'export const one: string = 1;\n');
    for (let tries = 0; tries < 2; tries++) {
      const { code, output } = build();
      expect([code === 0, output]).toEqual([false, expect.stringContaining('src/one.ts')]);
      expect([folder(), leftovers()]).toEqual([first, []]);
    }
  });

  it('removes what a build left that was killed', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    write(`dist.${pid}.next/src/one.js`, '');
    expect(build().code).toBe(0);
    expect(leftovers()).toEqual([]);
  });

  it('before a start notices a service on the data directory first, and touches nothing of it', async () => {
    build();
    const first = folder();
    const directory = await DataDirectory.acquire(join(project, 'data'));
    try {
      expect(build('--start').code).toBe(0);
      write('src/one.ts', 'export const one = 11;\n');
      const { code, output } = build('--start');
      expect(code).toBe(1);
      expect(output).toContain(`in use by process ${process.pid}`);
      expect(output).toContain('MDS_DATA_DIR');
      expect([folder(), leftovers()]).toEqual([first, []]);
    } finally {
      await directory.release();
    }
    expect(build('--start').code).toBe(0);
    expect(made('src/one.js')).toContain('11');
  });
});
