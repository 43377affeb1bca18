import { requestReplay } from '../mds.command.js';
import type { Scene } from '../scene.js';
import { ALL_PARTS, type Fault } from './fault.js';

/**
 * After a crash PostgreSQL leaves out so many ids of a sequence at most: with more new series than that, the copy gives
 * ids once more that the services remember as others'.
 */
const LEFT_OUT_IDS = 33;
const NEW_SERIES = 3 * LEFT_OUT_IDS;
/** Beyond what waits in the spools. */
const MARGIN_S = 5;

/** What happens when a database comes back as it was. */
export const COPY_FAULTS: readonly Fault[] = [
  {
    name: 'older-copy',
    what: 'the database goes back to a snapshot of its disk; what it lacks is brought back by `mds spool replay`',
    takes: ALL_PARTS,
    needs: ['whole-disk'],
    inflict: async (scene) => {
      const { stage, database } = scene;
      const { replicas, load } = stage;
      const since = await receivedSince(scene);
      await database.takeSnapshot();
      const ids = await newestId(scene);
      await scene.until('new series are stored', async () => (await newestId(scene)) > ids + NEW_SERIES);
      await database.goBackToSnapshot();
      for (const { counts } of load.producers) counts?.forget();
      await scene.pause(500, 3_000);
      for (const replica of replicas) {
        replica.acceptedTwice = true;
        await requestReplay(replica.dataDirectory, since);
        if (scene.random.next() < 0.5) await replica.service.kill();
        else await replica.service.stop();
        if (scene.random.next() < 0.5) {
          const starting = replica.launch();
          await scene.pause(100, 3_000);
          await starting.kill();
        }
        await replica.start();
      }
      for (const { counts } of load.producers) counts?.forget();
    },
  },
];

/** Everything that was received before this time, epoch seconds, is committed now. */
async function receivedSince({ stage }: Scene): Promise<number> {
  const asked = Date.now() / 1_000;
  const ages = await Promise.all(
    stage.replicas.map(async (replica) => (await replica.look()).spool.oldest_age_seconds),
  );
  return Math.floor(asked - Math.max(...ages) - MARGIN_S);
}

async function newestId({ database }: Scene): Promise<number> {
  const [row] = await database.sql<{ id: number | null }>('SELECT max(id) AS id FROM series');
  return row?.id ?? 0;
}
