import type { Client } from 'pg';

import { FRESH } from '../bar.model.js';
import { SERVICE_ROLE } from '../stage.database.js';
import type { Stage } from '../stage.js';
import type { Fault } from './fault.js';

const BLOCKED_WITHIN_MS = 30_000;
const TRIES = 5;
/** The series that producers send bars of all the time. */
const LOADED_SERIES = `series WHERE symbol <> '${FRESH}'`;

/** What PostgreSQL may answer to a write that is as it should be. */
export const REFUSAL_FAULTS: readonly Fault[] = [
  {
    name: 'deadlock',
    what: 'a rival locks bars in the opposite order; the service is the victim (40P01)',
    inflict: async (stage) => {
      const victim = stage.service.says(/deadlock detected/);
      await withRival(stage, async (rival, series) => {
        for (let attempt = 1; !(await deadlock(stage, rival, series)); attempt++)
          if (attempt === TRIES) throw new Error('the rival was the victim each time');
      });
      await victim;
    },
  },
  {
    name: 'serialization',
    what: 'two writes are refused as not serializable (40001), which the isolation level asked for rules out',
    inflict: async ({ database, service }) => {
      const failed = service.says(/could not serialize access/);
      // The sequence counts on though the write is undone.
      await database.sql(
        'CREATE SEQUENCE refusals',
        `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
         BEGIN
           IF nextval('refusals') <= 2 THEN
             RAISE EXCEPTION 'could not serialize access' USING ERRCODE = 'serialization_failure';
           END IF;
           RETURN NULL;
         END $$`,
        'CREATE TRIGGER refuse BEFORE INSERT ON bars FOR EACH STATEMENT EXECUTE FUNCTION refuse()',
      );
      try {
        await failed;
      } finally {
        await database.sql('DROP TRIGGER refuse ON bars', 'DROP FUNCTION refuse', 'DROP SEQUENCE refusals');
      }
    },
  },
  {
    name: 'too-many-connections',
    what: 'the sessions of the service are ended and no new ones are let in (53300)',
    inflict: async (stage) => {
      const { database, service } = stage;
      const refused = service.says(/too many connections/);
      await database.sql(`ALTER ROLE ${SERVICE_ROLE} CONNECTION LIMIT 0`);
      try {
        await database.endSessions();
        await refused;
        await stage.pause(200, 1_000);
      } finally {
        await database.sql(`ALTER ROLE ${SERVICE_ROLE} CONNECTION LIMIT -1`);
      }
    },
  },
  {
    name: 'read-only',
    what: 'PostgreSQL takes no writes for a time, as while it is switched over (25006)',
    inflict: async (stage) => {
      const { database, service } = stage;
      const refused = service.says(/read-only transaction/);
      const reload = 'SELECT pg_reload_conf()';
      await database.sql('ALTER SYSTEM SET default_transaction_read_only = on', reload);
      try {
        await refused;
        await stage.pause(200, 1_000);
      } finally {
        await database.sql('ALTER SYSTEM RESET default_transaction_read_only', reload);
      }
    },
  },
  {
    name: 'poison',
    what: 'PostgreSQL refuses some bars for good; half of the time it is mended and they are replayed',
    inflict: async (stage) => {
      const { database, service } = stage;
      const refused = service.says(/are dead letter/);
      const [series] = await database.sql<{ id: number }>(`SELECT max(id) AS id FROM ${LOADED_SERIES}`);
      await database.sql(
        `ALTER TABLE bars ADD CONSTRAINT poison
           CHECK (series_id <> ${series?.id} OR extract(epoch FROM ts)::bigint / 60 % 97 <> 0) NOT VALID`,
      );
      try {
        await refused;
      } finally {
        await database.sql('ALTER TABLE bars DROP CONSTRAINT poison');
      }
      if (stage.random.next() < 0.5) return;
      const { status, text } = await service.request('/v1/dlq/replay', { method: 'POST' });
      if (status !== 202) throw new Error(`the replay was answered ${status}: ${text}`);
    },
  },
];

/** Ids of the series whose bars the service locks first and last: it goes by this number. */
interface Series {
  readonly first: number;
  readonly last: number;
}

async function withRival(
  stage: Stage,
  work: (rival: Client, series: Series) => Promise<void>,
): Promise<void> {
  const rival = await stage.database.connect();
  try {
    const { rows } = await rival.query<Series>(
      `SELECT min(id) AS first, max(id) AS last FROM ${LOADED_SERIES}`,
    );
    if (rows[0]) await work(rival, rows[0]);
  } finally {
    await rival.end();
  }
}

/** @returns whether the service was the victim */
async function deadlock(stage: Stage, rival: Client, { first, last }: Series): Promise<boolean> {
  // Who waits looks for a deadlock once, after 1 s; a rival that comes later than that has to find it itself.
  await rival.query("SET deadlock_timeout = '5s'");
  await rival.query('BEGIN');
  try {
    await rival.query(`SELECT FROM bars WHERE series_id = ${last} FOR UPDATE`);
    await untilBlocked(stage, rival);
    await rival.query(`SELECT FROM bars WHERE series_id = ${first} FOR UPDATE`);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== '40P01') throw error;
    return false;
  } finally {
    await rival.query('ROLLBACK');
  }
}

/** Waits until a session of the service waits for a lock of the rival. */
async function untilBlocked(stage: Stage, rival: Client): Promise<void> {
  await stage.until('a write waits for the rival', BLOCKED_WITHIN_MS, async () => {
    // Not from pg_stat_activity, which shows the same all through the rival's transaction.
    const { rows } = await rival.query(
      'SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))',
    );
    return rows.length > 0;
  });
}
