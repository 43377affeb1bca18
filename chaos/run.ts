import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ownHandles, strayProcesses } from './leftovers.js';
import { Oracle } from './oracle.js';
import type { Plan } from './plan.js';
import { Random } from './random.js';
import { Scene } from './scene.js';
import { Stage } from './stage.js';

/** Share of the rounds after which bars must flow before the next fault; the last round is one of them. */
const SETTLED = 0.3;
/** A fault that takes longer has come to wait for what never happens. */
const ROUND_MS = 10 * 60_000;

/** Settings of a run. */
export interface ChaosOptions {
  readonly plan: Plan;
  readonly rounds: number;
  readonly log: (line: string) => void;
  /** Ends the run after the round under way. */
  readonly signal?: AbortSignal;
  /** Called before each round with what is inflicted. */
  readonly onRound?: (faults: readonly string[]) => void;
}

/** What a run found. */
export interface ChaosReport {
  /** Rows answered as safe. */
  readonly acknowledged: number;
  /** Requests that were refused, and that got no answer. */
  readonly refused: number;
  readonly cut: number;
  /** Bars that were compared with what was sent. */
  readonly compared: number;
  /** How often the books were looked at. */
  readonly looks: number;
  /** Starts of services after the first. */
  readonly restarts: number;
  /** The longest wait until bars flowed after a fault, milliseconds. */
  readonly longestWaitMs: number;
  /** A sentence for each thing that is not as it was promised. */
  readonly broken: readonly string[];
}

/** Loads services, does to them and their database what the seed says, and asks the oracle. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { plan, log } = options;
  const handles = await ownHandles();
  const { report, directory, pids } = await Stage.with(plan.stage, async (stage) => {
    const found = await runOn(stage, options);
    if (found.broken.length > 0) log(`logs are kept in ${await keepLogs(stage)}`);
    return { report: found, directory: stage.directory, pids: stage.pids };
  });
  const broken = [...report.broken, ...(await strayProcesses(directory, pids))];
  const left = (await ownHandles()).filter((handle) => !handles.includes(handle));
  if (left.length > 0) broken.push(`handles of the harness are left open: ${left.join(', ')}`);
  return { ...report, broken };
}

async function runOn(stage: Stage, options: ChaosOptions): Promise<ChaosReport> {
  const { log } = options;
  const { load } = stage;
  const oracle = new Oracle(stage);
  let longestWaitMs = 0;
  try {
    await stage.start();
    load.addAll();
    oracle.start();
    load.start();
    try {
      longestWaitMs = await inflictAll(stage, oracle, options);
    } finally {
      await load.stop();
      await oracle.stop();
    }
    const drainStart = performance.now();
    await oracle.expectDrained();
    log(`the spool is written ${secondsSince(drainStart)} s after the load`);
    await oracle.expectStored();
    await oracle.expectNothingLeft();
  } catch (error) {
    // What was found before is worth more than how it ended.
    oracle.findings.add('end', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const launched = stage.replicas.reduce((sum, replica) => sum + replica.launched.length, 0);
  return {
    ...load.totals,
    compared: oracle.compared,
    looks: oracle.books.looks,
    restarts: launched - stage.replicas.length,
    longestWaitMs,
    broken: oracle.broken,
  };
}

/** @returns the longest wait until bars flowed, milliseconds */
async function inflictAll(stage: Stage, oracle: Oracle, options: ChaosOptions): Promise<number> {
  const { plan, rounds, log, signal, onRound } = options;
  const { random } = stage;
  let longest = 0;
  for (let round = 1; round <= rounds && !signal?.aborted; round++) {
    await stage.pause(100, 600);
    const faults = plan.nextRound();
    const scenes = faults.map(
      () => new Scene(stage, random.pick(stage.replicas), new Random(random.between(0, 2 ** 31))),
    );
    const isSettled = random.next() < SETTLED || round === rounds;
    const startedAt = performance.now();
    const names = faults.map(({ name }) => name);
    onRound?.(names);
    const inflicted = faults.map(async (fault, index) => {
      const scene = scenes[index];
      if (!scene) return;
      if (index > 0) await scene.pause(0, 1_000);
      await withinTime(fault.inflict(scene)).catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        oracle.findings.add('fault', `round ${round}, ${names.join(' and ')}: ${fault.name}: ${why}`);
      });
    });
    await Promise.all(inflicted);
    for (const replica of stage.replicas) {
      if (!replica.service.isGone) continue;
      oracle.findings.add('ended', `round ${round}, ${names.join(' and ')}: ${replica.name} runs no more`);
      await replica.start();
    }
    const took = secondsSince(startedAt);
    const waited = isSettled ? await oracle.expectFlow() : 0;
    longest = Math.max(longest, waited);
    const settled = isSettled ? `, bars flowed ${(waited / 1_000).toFixed(1)} s later` : '';
    log(`round ${round} of ${rounds}: ${names.join(' and ')}, ${took} s${settled}`);
  }
  return longest;
}

async function withinTime(inflicting: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not end within ${ROUND_MS} ms`)), ROUND_MS);
  });
  await Promise.race([inflicting, expired]).finally(() => clearTimeout(timer));
}

async function keepLogs(stage: Stage): Promise<string> {
  const kept = await mkdtemp(join(tmpdir(), 'mds-chaos-logs-'));
  for (const { logPath, name } of stage.replicas)
    await cp(logPath, join(kept, `${name}.log`)).catch(() => undefined);
  await cp(await stage.database.log.path(), join(kept, 'postgresql.log')).catch(() => undefined);
  return kept;
}

function secondsSince(start: number): string {
  return ((performance.now() - start) / 1_000).toFixed(1);
}
