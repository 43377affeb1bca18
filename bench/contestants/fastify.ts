import { fileURLToPath } from 'node:url';

import { startProgram, untilReady } from '../process/program.js';
import type { Contestant } from './contestant.js';

const MAIN = fileURLToPath(new URL('./fastify.main.js', import.meta.url));

/** A bare Fastify handler in a process of its own. */
export async function startFastify(): Promise<Contestant> {
  const running = startProgram(process.execPath, [MAIN]);
  const url = await untilReady(running, () => /listening (\S+)/.exec(running.output())?.[1]);
  return { target: { url: `${url}/v1/bars`, format: 'ndjson' }, child: running.child };
}
