import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

/** Begins a command of `mds spool` on a data directory. */
export function startSpoolCommand(dataDirectory: string, ...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [CLI, 'spool', ...args, '--dir', dataDirectory], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs one. @returns its exit code and all that it said */
export async function runSpoolCommand(
  dataDirectory: string,
  ...args: readonly string[]
): Promise<{ code: unknown; output: string }> {
  const child = startSpoolCommand(dataDirectory, ...args);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as unknown[];
  return { code, output };
}

/** What `mds spool verify` says of a spool that is not sound. */
export async function verifySpool(dataDirectory: string): Promise<string | undefined> {
  const { code, output } = await runSpoolCommand(dataDirectory, 'verify');
  return code === 0 ? undefined : output.trim();
}

/** Has what was received since a time written again at the next start. @param since epoch seconds */
export async function requestReplay(dataDirectory: string, since: number): Promise<void> {
  const { code, output } = await runSpoolCommand(dataDirectory, 'replay', '--since', String(since));
  if (code !== 0) throw new Error(`mds spool replay ended with ${String(code)}: ${output}`);
}
