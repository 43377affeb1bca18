import type { Scene } from '../scene.js';
import { SERVICE_ROLE } from '../stage.database.js';
import type { Fault } from './fault.js';

/** What PostgreSQL may answer to a write that is as it should be. */
export const REFUSAL_FAULTS: readonly Fault[] = [
  {
    name: 'serialization',
    what: 'two writes are refused as not serializable (40001), which the isolation level asked for rules out',
    takes: ['database'],
    inflict: async (scene) => {
      const untilRaised = await scene.raises('40001');
      // The sequence counts on though the write is undone.
      await scene.mend('DROP SEQUENCE IF EXISTS refusals', 'CREATE SEQUENCE refusals');
      await whileInsertsRaise(scene, "'40001'", "nextval('refusals') <= 2", untilRaised);
      await scene.mend('DROP SEQUENCE IF EXISTS refusals');
    },
  },
  {
    name: 'limit',
    what: 'PostgreSQL is at a limit of its own for a time (54000), as when transaction ids run out',
    takes: ['database'],
    inflict: async (scene) => {
      const untilRaised = await scene.raises('54000');
      await whileInsertsRaise(scene, "'54000'", 'true', async () => {
        await untilRaised();
        await scene.pause(500, 3_000);
      });
    },
  },
  {
    name: 'too-many-connections',
    what: 'the sessions of the services are ended and no new ones are let in (53300)',
    takes: ['database'],
    inflict: async (scene) => {
      const untilRaised = await scene.raises('53300');
      await scene.mend(`ALTER ROLE ${SERVICE_ROLE} CONNECTION LIMIT 0`);
      try {
        await scene.database.endSessions();
        await untilRaised();
        await scene.pause(200, 1_000);
      } finally {
        await scene.mend(`ALTER ROLE ${SERVICE_ROLE} CONNECTION LIMIT -1`);
      }
    },
  },
  {
    name: 'read-only',
    what: 'PostgreSQL takes no writes for a time, as while it is switched over (25006)',
    takes: ['database'],
    inflict: async (scene) => {
      const untilRaised = await scene.raises('25006');
      const reload = 'SELECT pg_reload_conf()';
      await scene.mend('ALTER SYSTEM SET default_transaction_read_only = on', reload);
      try {
        await untilRaised();
        await scene.pause(200, 1_000);
      } finally {
        // The session that mends it is read-only too.
        await scene.mend('ALTER SYSTEM RESET default_transaction_read_only', reload);
      }
    },
  },
  {
    name: 'poison',
    what: 'PostgreSQL refuses some bars for good; half of the time it is mended and they are replayed',
    takes: ['database'],
    inflict: async (scene) => {
      await poison(scene);
      if (scene.random.next() < 0.5) return;
      const { status, text } = await replayAll(scene);
      if (status !== 202 && status !== 429 && status !== 503)
        throw new Error(`the replay was answered ${status}: ${text}`);
    },
  },
  {
    name: 'kill-in-dead-letter-replay',
    what: 'PostgreSQL refuses some bars, and kill -9 of the service while they are replayed',
    takes: ['database', 'service'],
    inflict: async (scene) => {
      await poison(scene);
      const { replica } = scene;
      // Rows of a letter are in the spool again before the letter is gone.
      replica.acceptedTwice = true;
      const replay = replayAll(scene).catch(() => undefined);
      await scene.pause(0, 50);
      await replica.restart();
      await replay;
    },
  },
];

/** While it lasts, inserts of bars fail with this SQLSTATE when the condition holds. */
async function whileInsertsRaise(
  scene: Scene,
  sqlstate: string,
  condition: string,
  work: () => Promise<void>,
): Promise<void> {
  const remove = ['DROP TRIGGER IF EXISTS refuse ON bars', 'DROP FUNCTION IF EXISTS refuse'];
  await scene.mend(
    ...remove,
    `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
     BEGIN
       IF ${condition} THEN RAISE EXCEPTION 'refused for a time' USING ERRCODE = ${sqlstate}; END IF;
       RETURN NULL;
     END $$`,
    'CREATE TRIGGER refuse BEFORE INSERT ON bars FOR EACH STATEMENT EXECUTE FUNCTION refuse()',
  );
  try {
    await work();
  } finally {
    await scene.mend(...remove);
  }
}

/** Has bars of a series refused until a service has a dead letter. */
async function poison(scene: Scene): Promise<void> {
  const { stage, database } = scene;
  const drop = 'ALTER TABLE bars DROP CONSTRAINT IF EXISTS poison';
  const series = { id: 0, symbol: '' };
  await scene.until('a series is stored', async () => {
    const [found] = await database.sql<{ id: number; symbol: string }>(
      `SELECT id, symbol FROM series WHERE provider = '${stage.load.producers[0]?.keys.provider}' ORDER BY id LIMIT 1`,
    );
    return Object.assign(series, found).id !== 0;
  });
  const before = await deadLetters(scene);
  const check = stage.poison.add(series.symbol, series.id);
  await scene.mend(drop, `ALTER TABLE bars ADD CONSTRAINT poison ${check}`);
  try {
    await scene.until('there is a dead letter', async () => (await deadLetters(scene)) > before);
  } finally {
    await scene.mend(drop);
  }
}

async function deadLetters({ stage }: Scene): Promise<number> {
  const states = await Promise.all(
    stage.replicas.map((replica) => replica.look().catch(() => ({ dlq_records: 0 }))),
  );
  return states.reduce((sum, { dlq_records }) => sum + dlq_records, 0);
}

async function replayAll({ service }: Scene): Promise<{ status: number; text: string }> {
  return await service.request('/v1/dlq/replay', { method: 'POST' });
}
