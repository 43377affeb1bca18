import type { Fault } from './faults/index.js';
import { ownHandles, strayProcesses } from './leftovers.js';
import { Oracle } from './oracle.js';
import { Producer } from './producer.js';
import { Random } from './random.js';
import { Stage } from './stage.js';

const PRODUCERS = 4;

/** Settings of a run. */
export interface ChaosOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly faults: readonly Fault[];
  readonly log: (line: string) => void;
  /** Ends the run after the round under way. */
  readonly signal?: AbortSignal;
}

/** What a run found. */
export interface ChaosReport {
  readonly acknowledged: number;
  readonly refused: number;
  readonly cut: number;
  /** How often the books were looked at. */
  readonly samples: number;
  /** A sentence for each thing that is not as it was promised. */
  readonly broken: readonly string[];
}

/** Loads a service, does to it and its database what the seed says, and asks the oracle. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, faults } = options;
  const handles = await ownHandles();
  const smallDisks = faults.some((fault) => fault.smallDisks);
  const { report, directory, pids } = await Stage.with(
    { random: new Random(seed), smallDisks },
    async (stage) => ({
      report: await runOn(stage, options),
      directory: stage.directory,
      pids: stage.pids,
    }),
  );
  const broken = [...report.broken, ...(await strayProcesses(directory, pids))];
  const left = (await ownHandles()).filter((handle) => !handles.includes(handle));
  if (left.length > 0) broken.push(`handles of the harness are left open: ${left.join(', ')}`);
  return { ...report, broken };
}

async function runOn(stage: Stage, { rounds, faults, log, signal }: ChaosOptions): Promise<ChaosReport> {
  const { random } = stage;
  await stage.startService();
  const post = (body: string) => stage.service.post(body).catch(() => undefined);
  const producers = Array.from(
    { length: PRODUCERS },
    (_, index) => new Producer(`CHAOS${index}`, post, new Random(random.between(0, 2 ** 31))),
  );
  stage.producers = producers;
  const oracle = new Oracle(
    stage,
    faults.some(({ name }) => name === 'poison'),
  );
  oracle.start();
  for (const producer of producers) producer.start();
  try {
    for (let round = 1; round <= rounds && !signal?.aborted; round++) {
      await stage.pause(100, 600);
      const fault = inTurn(round, faults, random);
      const startedAt = performance.now();
      await fault.inflict(stage).catch((error: unknown) => {
        oracle.broken.push(`round ${round}, ${fault.name}: ${String(error)}`);
      });
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      log(`round ${round} of ${rounds}: ${fault.name}, ${seconds} s`);
    }
    await oracle.expectFlow();
  } finally {
    await Promise.all(producers.map((producer) => producer.stop()));
    await oracle.stop();
  }
  const drainStart = performance.now();
  await oracle.expectDrained();
  log(`the spool is written ${((performance.now() - drainStart) / 1_000).toFixed(1)} s after the load`);
  await oracle.expectStored(producers);
  await oracle.expectNothingLeft();
  const sum = (of: (producer: Producer) => number) => producers.reduce((total, one) => total + of(one), 0);
  return {
    acknowledged: sum((one) => one.acknowledged),
    refused: sum((one) => one.refused),
    cut: sum((one) => one.cut),
    samples: oracle.samples,
    broken: oracle.broken,
  };
}

/** Each fault once, and then as the seed says: a short run has all of them. */
function inTurn(round: number, faults: readonly Fault[], random: Random): Fault {
  return faults[round - 1] ?? random.pick(faults);
}
