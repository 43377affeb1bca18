import { KeepAliveLoad } from '../keep-alive.load.js';
import { Oracle } from '../oracle.js';
import { Random } from '../random.js';
import { Stage } from '../stage.js';
import type { Scenario, ScenarioOptions } from './scenario.js';

const CLIENTS = 8;
const SERVICES = 2;

/** Replicas that are replaced while clients go on. */
export const ROLLING: Scenario = {
  name: 'rolling',
  what: '--rounds restarts of two replicas in turn under keep-alive load: every request is answered',
  run: (options) =>
    Stage.with({ random: new Random(options.seed), services: SERVICES }, (stage) => rolling(stage, options)),
};

async function rolling(stage: Stage, { rounds, log }: ScenarioOptions): Promise<string[]> {
  const oracle = new Oracle(stage);
  const { replicas, load } = stage;
  await stage.start();
  const clients = await KeepAliveLoad.start(stage, 'ROLL', CLIENTS);
  try {
    for (let round = 0; round < rounds; round++) {
      await stage.pause(300, 1_000);
      const replica = replicas[round % SERVICES] ?? stage.replica;
      const code = await replica.service.stop();
      if (code !== 0) oracle.findings.add('stop', `${replica.name} ended with ${code} after SIGTERM`);
      await replica.start();
      log(`restart ${round + 1} of ${rounds}; ${clients.unanswered.length} requests unanswered so far`);
    }
  } finally {
    await clients.stop();
  }
  await oracle.expectDrained();
  await oracle.expectStored();
  const { acknowledged, refused } = load.totals;
  log(`${acknowledged} bars acknowledged, ${refused} requests refused, ${clients.connections} connections`);
  return [...clients.unanswered, ...oracle.broken];
}
