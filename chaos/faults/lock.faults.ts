import { FIRST_TS } from '../bar.keys.js';
import type { Scene } from '../scene.js';
import { isBlocking } from '../scene.js';
import { SERVICE_ROLE } from '../stage.database.js';
import type { Fault } from './fault.js';

const TRIES = 10;
/** Long enough for a rival to come, on a slow machine, before the service's session looks for a deadlock. */
const SERVICE_LOOKS_AFTER = '3s';
const YEAR = new Date(FIRST_TS * 1000).getUTCFullYear();
const PARTITION = `bars_${YEAR}`;

/** What others in the database hold against the services. */
export const LOCK_FAULTS: readonly Fault[] = [
  {
    name: 'deadlock',
    what: 'a rival locks two bars in the opposite order; the service is the victim (40P01)',
    takes: ['database'],
    inflict: async (scene) => {
      const { log } = scene.database;
      const mark = await log.mark();
      await whileRoleHas(scene, 'deadlock_timeout', SERVICE_LOOKS_AFTER, async () => {
        for (let attempt = 1; ; attempt++) {
          await deadlock(scene);
          if (await log.hasRaised(['40P01'], mark)) return;
          if (attempt === TRIES) throw new Error('the service was not the victim of a deadlock');
        }
      });
    },
  },
  {
    name: 'lock-timeout',
    what: 'a rival locks the table for longer than the role of the service may wait (55P03)',
    takes: ['database'],
    inflict: async (scene) => {
      await whileRoleHas(scene, 'lock_timeout', '300ms', () =>
        whileLocked(scene, 'LOCK TABLE bars IN EXCLUSIVE MODE', 2_000),
      );
    },
  },
  {
    name: 'statement-timeout',
    what: 'a rival locks bars for longer than a statement of the service may take (57014)',
    takes: ['database'],
    inflict: async (scene) => {
      const first = `ts < to_timestamp(${FIRST_TS + 60 * 60}) ORDER BY series_id, ts FOR UPDATE`;
      await whileRoleHas(scene, 'statement_timeout', '500ms', () =>
        whileLocked(scene, `SELECT FROM bars WHERE ${first}`, 2_000),
      );
    },
  },
  {
    name: 'locked',
    what: 'a rival locks the table for up to 8 s',
    takes: ['database'],
    inflict: (scene) => whileLocked(scene, 'LOCK TABLE bars IN EXCLUSIVE MODE', 8_000),
  },
  {
    name: 'hot-key',
    what: 'one bar is corrected thousands of times while a rival locks the table; others come through behind it',
    takes: ['database', 'service', 'way'],
    inflict: async (scene) => {
      const { stage, replica } = scene;
      const hot = stage.load.occasionalProducer('HOT', replica);
      const bar = hot.model.size === 0 ? hot.addBar() : 0;
      await scene.withRival(async (rival) => {
        await rival.query('LOCK TABLE bars IN EXCLUSIVE MODE');
        for (let version = scene.random.between(500, 3_000); version > 0; version--) await hot.send([bar]);
      });
      const obstacle = await stage.fresh.untilStored(replica);
      if (obstacle !== undefined) throw new Error(obstacle);
    },
  },
  {
    name: 'detached-partition',
    what: 'the partition of the year is detached for a time, and attached again',
    takes: ['database'],
    inflict: async (scene) => {
      // No partition takes the rows, or one of its name cannot be made.
      const untilRaised = await scene.raises('23514', '42P07', '42P01');
      await scene.mend(`DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = '${PARTITION}'::regclass) THEN
          ALTER TABLE bars DETACH PARTITION ${PARTITION};
        END IF; END $$`);
      try {
        await untilRaised();
        await scene.pause(500, 3_000);
      } finally {
        await scene.mend(`DO $$ BEGIN
          IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = '${PARTITION}'::regclass) THEN
            ALTER TABLE bars ATTACH PARTITION ${PARTITION}
              FOR VALUES FROM ('${YEAR}-01-01T00:00:00Z') TO ('${YEAR + 1}-01-01T00:00:00Z');
          END IF; END $$`);
      }
    },
  },
];

/** A setting of the role holds for all its sessions while the work lasts. */
async function whileRoleHas(
  scene: Scene,
  setting: string,
  value: string,
  work: () => Promise<void>,
): Promise<void> {
  await scene.mend(`ALTER ROLE ${SERVICE_ROLE} SET ${setting} = '${value}'`);
  try {
    await scene.database.endSessions();
    await work();
  } finally {
    await scene.mend(`ALTER ROLE ${SERVICE_ROLE} RESET ${setting}`);
    await scene.database.endSessions();
  }
}

/** A rival holds a lock until a write waits for it, and some time more. */
async function whileLocked(scene: Scene, lock: string, mostMs: number): Promise<void> {
  await scene.withRival(async (rival) => {
    await rival.query(lock);
    await scene.untilBlocked(rival);
    await scene.pause(500, mostMs);
  });
}

/**
 * The service corrects two bars in one body, in the order of their key; the rival has the second, and wants the first
 * as soon as the service waits.
 */
async function deadlock(scene: Scene): Promise<void> {
  const { stage, replica } = scene;
  const pair = stage.load.occasionalProducer('PAIR', replica);
  const bars = pair.model.size === 0 ? [pair.addBar(), pair.addBar()] : [0, 1];
  const { provider } = pair.keys;
  const rowOf = (bar: number): string =>
    `SELECT FROM bars JOIN series ON id = series_id
      WHERE provider = '${provider}' AND ts = to_timestamp(${pair.keys.tsOf(bar)}) FOR UPDATE OF bars`;
  await scene.until('both bars are taken', () => pair.send(bars));
  await scene.withRival(async (rival) => {
    await rival.query("SET LOCAL deadlock_timeout = '60s'");
    await scene.until('both bars are stored', async () => {
      const { rows } = await rival.query(
        `SELECT FROM bars JOIN series ON id = series_id WHERE provider = '${provider}'`,
      );
      return rows.length === 2;
    });
    await rival.query(rowOf(1));
    await scene.until('the correction is taken', () => pair.send(bars));
    // The service may have ended beside this fault, or its session: then there is nothing to wait for.
    await scene.stage.until('the correction waits', 10_000, () => isBlocking(rival)).catch(() => undefined);
    await rival.query(rowOf(0));
  });
}
