import type { CutPoint } from '../postgres.proxy.js';
import type { Scene } from '../scene.js';
import type { Fault } from './fault.js';

const COMES_WITHIN_MS = 60_000;

/** What happens on the way to PostgreSQL. */
export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: 'cut',
    what: 'all connections to PostgreSQL are cut',
    takes: ['way'],
    inflict: ({ database }) => {
      database.proxy.cut();
      return Promise.resolve();
    },
  },
  {
    name: 'away',
    what: 'PostgreSQL cannot be reached for up to 2 s',
    takes: ['way'],
    inflict: async (scene) => {
      scene.database.proxy.setClosed(true);
      await scene.pause(200, 2_000);
      scene.database.proxy.setClosed(false);
    },
  },
  {
    name: 'cut-in-copy',
    what: 'a connection is cut in the middle of a message of rows',
    takes: ['way'],
    inflict: (scene) => cutAt(scene, 'copy-data'),
  },
  {
    name: 'cut-after-copy',
    what: 'PostgreSQL commits a COPY of new rows, and the connection is cut before it can say so',
    takes: ['way'],
    inflict: async (scene) => {
      const { producers } = scene.stage.load;
      // A bar that is stored already would send the write to the other lane, whose COPY commits nothing.
      for (const producer of producers) producer.corrects = false;
      await cutAt(scene, 'copy-done').finally(() => {
        for (const producer of producers) producer.corrects = true;
      });
    },
  },
  {
    name: 'cut-after-commit',
    what: 'PostgreSQL commits a merge, and the connection is cut before it can say so',
    takes: ['way'],
    inflict: (scene) => cutAt(scene, 'commit'),
  },
];

async function cutAt({ database }: Scene, point: CutPoint): Promise<void> {
  // After a fault before this one it may take a time until there are writes again.
  await database.ready();
  await database.proxy.cutAt(point, COMES_WITHIN_MS);
}
