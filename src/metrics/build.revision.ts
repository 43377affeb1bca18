import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const UNKNOWN = 'unknown';

/** The commit that the package was checked out at; `unknown` when it is no clone. */
export function buildRevision(): string {
  for (let directory = import.meta.dirname; ; directory = join(directory, '..')) {
    if (existsSync(join(directory, 'package.json'))) return revisionIn(join(directory, '.git'));
    if (directory === join(directory, '..')) return UNKNOWN;
  }
}

/** What HEAD names, itself or by a branch (gitrepository-layout(5)). */
function revisionIn(git: string): string {
  const head = read(join(git, 'HEAD')) ?? UNKNOWN;
  if (!head.startsWith('ref: ')) return head;
  const branch = head.slice('ref: '.length);
  return read(join(git, branch)) ?? packedRevision(git, branch) ?? UNKNOWN;
}

/** git moves branches that rest into one file. */
function packedRevision(git: string, branch: string): string | undefined {
  const lines = read(join(git, 'packed-refs'))?.split('\n') ?? [];
  return lines.find((line) => line.endsWith(` ${branch}`))?.split(' ', 1)[0];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
