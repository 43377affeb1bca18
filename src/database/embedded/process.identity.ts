import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';

const POSTGRES = /(^|\/)postgres(:|$)/;

/**
 * Whether process `pid` is alive and a PostgreSQL server on this data directory. A zombie is not, nor is another
 * program that was given the number of a server that died.
 */
export async function isPostgresOn(pid: number, dataDirectory: string): Promise<boolean> {
  return process.platform === 'linux'
    ? isPostgresByProc(pid, dataDirectory)
    : isPostgresByPs(pid, dataDirectory);
}

async function isPostgresByProc(pid: number, dataDirectory: string): Promise<boolean> {
  const [program, ...args] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  if (program === undefined || !POSTGRES.test(program)) return false;
  if (args.includes(dataDirectory)) return true;
  // The directory may have been moved since the server started; a container may keep root from reading this.
  return (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === dataDirectory;
}

/** For systems without `/proc`. */
export async function isPostgresByPs(pid: number, dataDirectory: string): Promise<boolean> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)]).catch(
    () => ({ stdout: '' }),
  );
  return `${stdout.trimEnd()} `.includes(`/postgres -D ${dataDirectory} `);
}
