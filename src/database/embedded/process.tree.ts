import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/**
 * Ends a server and all its processes at once. Without their parent they end by themselves, but not those that are
 * suspended: they would be left, and keep the next server from starting.
 */
export async function killServer(pid: number): Promise<void> {
  // Suspended, it starts no process while they are looked up.
  send(pid, 'SIGSTOP');
  for (const child of await childrenOf(pid)) send(child, 'SIGKILL');
  send(pid, 'SIGKILL');
}

/** Sends a signal to a process; nothing when it has ended. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Process ids of the processes that `pid` started and that have not ended. */
export async function childrenOf(pid: number): Promise<number[]> {
  return process.platform === 'linux' ? childrenByProc(pid) : childrenByPs(pid);
}

async function childrenByProc(pid: number): Promise<number[]> {
  const children: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    // The name of the program, in parentheses, may hold anything.
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(parent) === pid) children.push(Number(name));
  }
  return children;
}

/** For systems without `/proc`. */
export async function childrenByPs(pid: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']).catch(() => ({
    stdout: '',
  }));
  return stdout.split('\n').flatMap((line) => {
    const [child = 0, parent] = line.trim().split(/ +/).map(Number);
    return parent === pid ? [child] : [];
  });
}
