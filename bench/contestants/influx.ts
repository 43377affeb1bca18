import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { PostTarget } from '../load/post.job.js';
import { freePort } from '../process/free.port.js';
import { answers, startProgram, untilReady } from '../process/program.js';
import type { Contestant } from './contestant.js';

/** InfluxDB 1.x: its answer means that the points are in its write-ahead log, synced. */
export async function startInflux(program: string, directory: string): Promise<Contestant> {
  const [http, rpc] = [await freePort(), await freePort()];
  await mkdir(directory, { recursive: true });
  const config = join(directory, 'influxdb.conf');
  // Its defaults, but for places, ports, and one log line per request.
  await writeFile(
    config,
    `reporting-disabled = true
bind-address = "127.0.0.1:${rpc}"
[meta]
  dir = "${join(directory, 'meta')}"
[data]
  dir = "${join(directory, 'data')}"
  wal-dir = "${join(directory, 'wal')}"
[http]
  bind-address = "127.0.0.1:${http}"
  log-enabled = false
`,
  );
  const running = startProgram(program, ['-config', config]);
  const url = `http://127.0.0.1:${http}`;
  await untilReady(running, () => answers(`${url}/ping`));
  const created = await fetch(`${url}/query?q=${encodeURIComponent('CREATE DATABASE bench')}`, {
    method: 'POST',
  });
  if (!created.ok) throw new Error(`InfluxDB made no database: ${created.status}`);
  const target: PostTarget = { url: `${url}/write?db=bench&precision=s`, format: 'line-protocol' };
  return { target, child: running.child };
}
