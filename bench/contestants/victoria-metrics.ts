import { freePort } from '../process/free.port.js';
import { answers, startProgram, untilReady } from '../process/program.js';
import type { Contestant } from './contestant.js';

/** VictoriaMetrics: its answer means that the samples are in memory; they are written within seconds. */
export async function startVictoriaMetrics(program: string, directory: string): Promise<Contestant> {
  const port = await freePort();
  const running = startProgram(program, [
    `-storageDataPath=${directory}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    // By default it drops what is older than a month.
    '-retentionPeriod=100y',
  ]);
  const url = `http://127.0.0.1:${port}`;
  await untilReady(running, () => answers(`${url}/health`));
  return { target: { url: `${url}/write?precision=s`, format: 'line-protocol' }, child: running.child };
}
