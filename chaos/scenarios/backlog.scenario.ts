import { setTimeout as sleep } from 'node:timers/promises';

import { writeBacklog } from '../backlog.js';
import { Random } from '../random.js';
import type { CoordinatorState } from '../service.process.js';
import { Stage } from '../stage.js';
import type { Scenario, ScenarioOptions } from './scenario.js';

const MIB = 1024 ** 2;
const READY_MS = 5_000;
/** On a machine that is busy with other things a start with a small backlog takes long too. */
const READY_SHARE = 2;
const SMALL_MIB = 20;
const WRITTEN_WITHIN_MS = 120_000;
const GROWTH_MIB = 128;
/** At most. */
const WATCHED_SECONDS = 20;

/** A start with much in the spool. */
export const BACKLOG: Scenario = {
  name: 'backlog',
  what: 'a start with --mib of bars in the spool: ready in 5 s, and at most 128 MiB of memory more than with 20 MiB',
  run: (options) =>
    Stage.with(
      {
        random: new Random(options.seed),

        env: { MDS_SPOOL_MAX_BYTES: String(4 * options.mib * MIB), MDS_SPOOL_RETAIN_SEC: '0' },
      },
      (stage) => backlog(stage, options),
    ),
};

async function backlog(stage: Stage, { mib, seconds, log }: ScenarioOptions): Promise<string[]> {
  const broken: string[] = [];
  const { spool } = stage.replica;
  // The first start migrates the database; the second is like the one with the backlog, which is large only there.
  await startUntilReady(stage);
  await stage.service.stop();
  await writeBacklog(spool, 'SMALL', SMALL_MIB * MIB);
  const small = await startUntilReady(stage);
  await stage.until('a small backlog is written', WRITTEN_WITHIN_MS, async () => {
    const { rows } = await stage.service.get<CoordinatorState>('/v1/coordinator');
    return rows.spooled === 0;
  });
  const before = await stage.service.memory();
  const { rows: former } = await stage.service.get<CoordinatorState>('/v1/coordinator');
  log(`${SMALL_MIB} MiB: ready in ${small} ms, ${inMib(before)} MiB when written`);
  await stage.service.stop();

  const written = await writeBacklog(spool, 'LARGE', mib * MIB);
  const ready = await startUntilReady(stage);
  log(`${mib} MiB, ${written} rows: ready in ${ready} ms`);
  if (ready > Math.max(READY_MS, READY_SHARE * small)) broken.push(`it was ready only after ${ready} ms`);

  let most = 0;
  for (let second = 0; second < Math.min(seconds, WATCHED_SECONDS); second++) {
    await sleep(1_000);
    most = Math.max(most, await stage.service.memory());
    const { rows } = await stage.service.get<CoordinatorState>('/v1/coordinator');
    // The ledger goes on from start to start.
    if (rows.accepted !== former.accepted + written || rows.residual !== 0)
      broken.push(`the books are wrong: ${JSON.stringify(rows)}`);
    if (second % 5 === 4)
      log(`${second + 1} s: ${inMib(most)} MiB at most, ${rows.committed} rows committed`);
    if (rows.spooled === 0) break;
  }
  if (most - before > GROWTH_MIB * MIB)
    broken.push(`memory grew from ${inMib(before)} to ${inMib(most)} MiB while the backlog was written`);
  return broken;
}

/** @returns milliseconds from the start of the process until it is ready */
async function startUntilReady(stage: Stage): Promise<number> {
  const startedAt = performance.now();
  await stage.start();
  await stage.until('it is ready', 60_000, async () => {
    const { status } = await stage.service.request('/readyz');
    return status === 200;
  });
  return Math.round(performance.now() - startedAt);
}

function inMib(bytes: number): number {
  return Math.round(bytes / MIB);
}
