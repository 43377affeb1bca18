import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { KeepAliveLoad } from '../keep-alive.load.js';
import { Oracle } from '../oracle.js';
import { Random } from '../random.js';
import type { Replica } from '../replica.js';
import { buildRevision, resolveRevision } from '../revision.build.js';
import { Stage } from '../stage.js';
import type { Scenario, ScenarioOptions } from './scenario.js';

const CLIENTS = 6;
const SERVICES = 2;
/** Bars that come while the database is away wait in the spool. */
const AWAY_MS = 1_500;

/** A program of the service: that of this build, or of another revision. */
interface Build {
  readonly name: string;
  /** Undefined: this build. */
  readonly program: string | undefined;
}

/** Another build and this one on the same data and database, in turn. */
export const UPGRADE: Scenario = {
  name: 'upgrade',
  what: '--rounds times two replicas go from the build of --from to this one or back, under load: nothing lost; what one build spools the other writes',
  run: (options) =>
    Stage.with({ random: new Random(options.seed), services: SERVICES }, (stage) => upgrade(stage, options)),
};

async function upgrade(stage: Stage, { rounds, from, log }: ScenarioOptions): Promise<string[]> {
  const oracle = new Oracle(stage);
  const { replicas, load } = stage;
  const revision = await resolveRevision(from);
  const builds: [Build, Build] = [
    { name: revision, program: await buildRevision(revision, join(stage.directory, 'build')) },
    { name: 'this build', program: undefined },
  ];
  log(`${revision} is built`);
  for (const replica of replicas) replica.program = builds[0].program;
  await stage.start();
  const clients = await KeepAliveLoad.start(stage, 'UPGRADE', CLIENTS);
  try {
    for (let round = 0; round < rounds; round++) {
      const build = builds[(round + 1) % 2] ?? builds[0];
      // The first way there and back is in order; from then on a spool is left behind each time.
      const isInOrder = round < 2;
      const before = clients.unanswered.length;
      for (const replica of replicas) {
        await stage.pause(500, 1_500);
        const left = isInOrder ? await stopInOrder(replica, oracle) : await killWithSpool(stage, replica);
        replica.program = build.program;
        await replica.start();
        log(
          `round ${round + 1} of ${rounds}: ${replica.name} runs ${build.name}, ${left} rows were in its spool`,
        );
      }
      if (isInOrder && clients.unanswered.length > before)
        oracle.findings.add(
          'answers',
          `${clients.unanswered.length - before} requests were not answered in round ${round + 1}`,
        );
    }
  } finally {
    await clients.stop();
  }
  await oracle.expectDrained();
  await oracle.expectStored();
  await oracle.expectNothingLeft();
  const { acknowledged, refused } = load.totals;
  log(
    `${acknowledged} bars acknowledged, ${oracle.compared} compared, ${refused} requests refused, ${clients.unanswered.length} cut by kill -9`,
  );
  return oracle.broken;
}

/** @returns rows that stay in its spool */
async function stopInOrder(replica: Replica, oracle: Oracle): Promise<number> {
  const code = await replica.service.stop();
  if (code !== 0) oracle.findings.add('stop', `${replica.name} ended with ${code} after SIGTERM`);
  return 0;
}

/** Ends it with kill -9 while the database is away, so that there is something in its spool. */
async function killWithSpool(stage: Stage, replica: Replica): Promise<number> {
  const { proxy } = stage.database;
  proxy.setClosed(true);
  try {
    await sleep(AWAY_MS);
    const { rows } = await replica.look();
    await replica.service.kill();
    return rows.spooled;
  } finally {
    proxy.setClosed(false);
  }
}
