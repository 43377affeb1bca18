import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';

/** Where and of what something was measured. */
export interface Circumstances {
  readonly date: string;
  /** Short hash; `+` behind it: with changes that are not committed. */
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gib: number;
  readonly system: string;
  readonly node: string;
  readonly postgresql: string;
}

/** The circumstances of this run. */
export function circumstances(postgresql: string): Circumstances {
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    commit: commit(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    postgresql,
  };
}

/** One line for people. */
export function describe(where: Circumstances): string {
  return `${where.date}, ${describePlace(where)}`;
}

/** The same without the date. */
export function describePlace(where: Omit<Circumstances, 'date'>): string {
  const { commit: hash, cores, cpu, memory_gib: memory, node, postgresql, system } = where;
  return `commit ${hash}, ${cores} x ${cpu}, ${memory} GiB, ${system}, Node ${node}, PostgreSQL ${postgresql}`;
}

/** What a run writes itself is no change. */
const CHANGES = ['status', '--porcelain', '--untracked-files=no', '--', ':/', ':(top,exclude)bench/results'];

function commit(): string {
  try {
    const hash = git('rev-parse', '--short', 'HEAD');
    return git(...CHANGES) === '' ? hash : `${hash}+`;
  } catch {
    return 'unknown';
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
