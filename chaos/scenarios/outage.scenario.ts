import { setTimeout as sleep } from 'node:timers/promises';

import { BulkLoad } from '../bulk.load.js';
import { Random } from '../random.js';
import type { CoordinatorState } from '../service.process.js';
import { Stage } from '../stage.js';
import type { Scenario, ScenarioOptions } from './scenario.js';

const MIB = 1024 ** 2;
const LOADERS = 3;
/** At most. */
const WARM_SECONDS = 10;
const LOOK_SECONDS = 5;
const GROWTH_MIB = 128;
/** A load that goes on beside it costs the normal rate something, and the machine may be busy. */
const RATE_SHARE = 0.5;
const DRAINED_WITHIN_MS = 30 * 60_000;
const ENV = { MDS_SPOOL_MAX_BYTES: String(64 * 1024 * MIB), MDS_SPOOL_RETAIN_SEC: '0' };

/** The database away at full load. */
export const OUTAGE: Scenario = {
  name: 'outage',
  what: 'PostgreSQL away for --seconds at full load: nothing lost, memory flat, recovery at full speed',
  run: (options) =>
    Stage.with({ random: new Random(options.seed), env: ENV }, (stage) => outage(stage, options)),
};

async function outage(stage: Stage, { seconds, log }: ScenarioOptions): Promise<string[]> {
  const broken: string[] = [];
  await stage.start();
  const loads = Array.from({ length: LOADERS }, (_, index) => new BulkLoad(`BULK${index}`, stage));
  for (const load of loads) load.start();
  const look = async (): Promise<CoordinatorState['rows']> => {
    const { rows } = await stage.service.get<CoordinatorState>('/v1/coordinator');
    if (rows.residual !== 0) broken.push(`the residual is ${rows.residual}`);
    return rows;
  };
  try {
    const warm = Math.min(seconds, WARM_SECONDS) * 1_000;
    await sleep(warm);
    const normal = await rateOf(look, () => sleep(warm));
    log(`normal: ${Math.round(normal)} rows/s committed under load`);

    const before = await stage.service.memory();
    let most = 0;
    stage.database.proxy.setClosed(true);
    for (let second = 0; second < seconds; second += LOOK_SECONDS) {
      await sleep(Math.min(LOOK_SECONDS, seconds - second) * 1_000);
      const memory = await stage.service.memory();
      most = Math.max(most, memory);
      const { accepted, spooled } = await look();
      log(`away ${second + LOOK_SECONDS} s: ${inMib(memory)} MiB, ${accepted} accepted, ${spooled} spooled`);
    }
    if (most - before > GROWTH_MIB * MIB)
      broken.push(`memory grew from ${inMib(before)} to ${inMib(most)} MiB while the database was away`);
    await Promise.all(loads.map((load) => load.stop()));

    const { spooled } = await look();
    stage.database.proxy.setClosed(false);
    const recovery = await rateOf(look, () =>
      stage.until('the spool is written', DRAINED_WITHIN_MS, async () => (await look()).spooled === 0),
    );
    log(
      `recovery: ${spooled} rows at ${Math.round(recovery)} rows/s, ${inMib(await stage.service.memory())} MiB`,
    );
    if (recovery < RATE_SHARE * normal)
      broken.push(`recovery took place at ${Math.round(recovery)} rows/s, normal are ${Math.round(normal)}`);
  } finally {
    await Promise.all(loads.map((load) => load.stop()));
  }
  const client = await stage.database.connect();
  for (const load of loads) broken.push(...(await load.faults(client)));
  await client.end();
  log(`${loads.reduce((sum, { acknowledged }) => sum + acknowledged, 0)} bars acknowledged and compared`);
  return broken;
}

/** Rows committed per second during something. */
async function rateOf(
  look: () => Promise<CoordinatorState['rows']>,
  during: () => Promise<unknown>,
): Promise<number> {
  const startedAt = performance.now();
  const { committed } = await look();
  await during();
  return ((await look()).committed - committed) / ((performance.now() - startedAt) / 1_000);
}

function inMib(bytes: number): number {
  return Math.round(bytes / MIB);
}
