import { Balancer } from '../balancer.js';
import { BarKeys } from '../bar.keys.js';
import { KeepAliveClient } from '../keep-alive.client.js';
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
  const balancer = await Balancer.start(() =>
    replicas
      .filter(({ service }) => service.isReachable)
      .map(({ service }) => Number(new URL(service.url).port)),
  );
  const clients = Array.from({ length: CLIENTS }, () => new KeepAliveClient(balancer.port));
  clients.forEach((client, index) => {
    const keys = new BarKeys({ provider: `ROLL${index}` });
    load.add({ keys, post: async (body) => (await client.post(body)) ?? 'cut' });
  });
  load.start();
  try {
    for (let round = 0; round < rounds; round++) {
      await stage.pause(300, 1_000);
      const replica = replicas[round % SERVICES] ?? stage.replica;
      const code = await replica.service.stop();
      if (code !== 0) oracle.findings.add('stop', `${replica.name} ended with ${code} after SIGTERM`);
      await replica.start();
      const unanswered = clients.reduce((sum, client) => sum + client.unanswered.length, 0);
      log(`restart ${round + 1} of ${rounds}; ${unanswered} requests unanswered so far`);
    }
  } finally {
    await load.stop();
    for (const client of clients) client.end();
    await balancer.stop();
  }
  // The clients do not count which replica took their rows.
  for (const replica of replicas) replica.acceptedTwice = true;
  await oracle.expectDrained();
  await oracle.expectStored();
  const connections = clients.reduce((total, client) => total + client.connections, 0);
  const { acknowledged, refused } = load.totals;
  log(`${acknowledged} bars acknowledged, ${refused} requests refused, ${connections} connections`);
  return [...clients.flatMap((client) => client.unanswered), ...oracle.broken];
}
