import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What a spool and a dead-letter queue consist of while nothing is damaged. */
const KNOWN_FILES = /^(spool|dlq|spool\/\d{16}\.seg|spool\/checkpoint|dlq\/[\d.-]+\.dlq)$/;
/** The segment that is written, the one that is read, the checkpoint, and the lock of the directory. */
const OPEN_FILES = 4;

/** Files that a stopped service leaves and that are none of its data, a sentence each. */
export async function strayFiles(dataDirectory: string): Promise<string[]> {
  const names = await readdir(dataDirectory, { recursive: true });
  return names
    .filter((name) => !KNOWN_FILES.test(name))
    .map((name) => `${name} is left in the data directory`);
}

/** Handles that a service keeps open and does not need, a sentence each; looked at where the system shows them. */
export async function strayHandles(pid: number, dataDirectory: string): Promise<string[]> {
  const targets = (await openFiles(pid)).filter((target) => target.startsWith(`${dataDirectory}/`));
  const deleted = targets.filter((target) => target.endsWith(' (deleted)'));
  if (targets.length <= OPEN_FILES && deleted.length === 0) return [];
  return [`the idle service has ${targets.length} of its files open: ${targets.join(', ')}`];
}

/** Processes that name the directory in their command line, or have one of the ids, a sentence each. */
export async function strayProcesses(directory: string, pids: readonly number[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-eo', 'pid=,ppid=,stat=,args=']);
  return stdout.split('\n').flatMap((line) => {
    const [pid, parent, state = 'Z', ...args] = line.trim().split(/ +/);
    const ours =
      args.join(' ').includes(directory) || (Number(parent) === process.pid && pids.includes(Number(pid)));
    return ours && !state.startsWith('Z') ? [`process ${pid} still runs: ${args.join(' ')}`] : [];
  });
}

/** Files, pipes and sockets that this process has open; none where the system does not show them. */
export async function ownHandles(): Promise<string[]> {
  return await openFiles(process.pid);
}

async function openFiles(pid: number): Promise<string[]> {
  const directory = `/proc/${pid}/fd`;
  if (!existsSync(directory)) return [];
  const handles = await readdir(directory);
  const targets = await Promise.all(
    handles.map((handle) => readlink(join(directory, handle)).catch(() => undefined)),
  );
  return targets.filter((target) => target !== undefined);
}
