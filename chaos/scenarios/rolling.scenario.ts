import { Balancer } from '../balancer.js';
import { KeepAliveClient } from '../keep-alive.client.js';
import { Oracle } from '../oracle.js';
import { Producer } from '../producer.js';
import { Random } from '../random.js';
import type { CoordinatorState, ServiceProcess } from '../service.process.js';
import { Stage } from '../stage.js';
import type { Scenario, ScenarioOptions } from './scenario.js';

const CLIENTS = 8;
const DRAINED_WITHIN_MS = 120_000;
const REPLICAS = ['replica-a', 'replica-b'] as const;

/** Replicas that are replaced while clients go on. */
export const ROLLING: Scenario = {
  name: 'rolling',
  what: '--rounds restarts of two replicas in turn under keep-alive load: every request is answered',
  run: (options) =>
    Stage.with({ random: new Random(options.seed), smallDisks: false }, (stage) => rolling(stage, options)),
};

async function rolling(stage: Stage, { rounds, log }: ScenarioOptions): Promise<string[]> {
  const broken: string[] = [];
  const replicas: ServiceProcess[] = [];
  for (const name of REPLICAS) replicas.push(await stage.launch(name));
  const balancer = await Balancer.start(() => replicas.map(({ url }) => Number(new URL(url).port)));
  const clients = Array.from({ length: CLIENTS }, () => new KeepAliveClient(balancer.port));
  const producers = clients.map(
    (client, index) =>
      new Producer(`ROLL${index}`, (body) => client.post(body), new Random(stage.random.between(0, 2 ** 31))),
  );
  for (const producer of producers) producer.start();
  try {
    for (let round = 0; round < rounds; round++) {
      await stage.pause(300, 1_000);
      const turn = round % REPLICAS.length;
      const code = await replicas[turn]?.stop();
      if (code !== 0) broken.push(`round ${round + 1}: a replica ended with ${code} after SIGTERM`);
      replicas[turn] = await stage.launch(REPLICAS[turn] ?? '');
      const unanswered = clients.reduce((sum, client) => sum + client.unanswered.length, 0);
      log(`restart ${round + 1} of ${rounds}; ${unanswered} requests unanswered so far`);
    }
  } finally {
    await Promise.all(producers.map((producer) => producer.stop()));
    for (const client of clients) client.end();
    await balancer.stop();
  }
  for (const replica of replicas) {
    await stage.until('a replica has written its spool', DRAINED_WITHIN_MS, async () => {
      const { rows, dlq_records } = await replica.get<CoordinatorState>('/v1/coordinator');
      if (rows.residual !== 0 || dlq_records > 0) broken.push(`the books are wrong: ${JSON.stringify(rows)}`);
      return rows.spooled === 0;
    });
  }
  const oracle = new Oracle(stage, false);
  await oracle.expectStored(producers, replicas);
  const sum = (of: (producer: Producer) => number) => producers.reduce((total, one) => total + of(one), 0);
  const connections = clients.reduce((total, client) => total + client.connections, 0);
  log(
    `${sum((one) => one.acknowledged)} bars acknowledged, ${sum((one) => one.refused)} requests refused, ${connections} connections`,
  );
  return [...broken, ...clients.flatMap((client) => client.unanswered), ...oracle.broken];
}
