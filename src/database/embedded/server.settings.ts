import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Cluster } from './cluster.js';

const LOG_TAIL_BYTES = 2_000;

/** The command line of the server. Ours come last and win: a caller's setting cannot open it to the network. */
export function serverArguments(options: {
  readonly cluster: Cluster;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
}): string[] {
  const settings = {
    // One file a day, each overwritten a week later: the log never needs a human.
    log_filename: 'postgresql-%a.log',
    log_rotation_age: '1d',
    log_rotation_size: '0',
    log_truncate_on_rotation: 'on',
    log_timezone: 'UTC',
    timezone: 'UTC',
    ...options.settings,
    logging_collector: 'on',
    log_directory: 'log',
    log_destination: 'stderr',
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port: String(options.port),
  };
  return [
    ...['-D', options.cluster.dataDirectory],
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

/** What the server wrote to its log since its last start, at most the end of it; empty when nothing. */
export async function tailOfLog(dataDirectory: string): Promise<string> {
  const names = await readFile(join(dataDirectory, 'current_logfiles'), 'utf8').catch(() => '');
  const name = /^stderr (.+)$/m.exec(names)?.[1];
  if (name === undefined) return '';
  const handle = await open(join(dataDirectory, name), 'r');
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOG_TAIL_BYTES), 0, LOG_TAIL_BYTES, start);
    const tail = buffer.toString('utf8', 0, bytesRead);
    // The file is the day's: an earlier start's reason in it is not this one's.
    return tail.slice(Math.max(0, tail.lastIndexOf('\n', tail.lastIndexOf('starting PostgreSQL '))));
  } finally {
    await handle.close();
  }
}
