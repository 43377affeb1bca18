import type { CutPoint } from '../postgres.proxy.js';
import type { Stage } from '../stage.js';
import type { Fault } from './fault.js';

const COMES_WITHIN_MS = 30_000;

/** What happens on the way to PostgreSQL. */
export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: 'cut',
    what: 'all connections to PostgreSQL are cut',
    inflict: ({ database }) => {
      database.proxy.cut();
      return Promise.resolve();
    },
  },
  {
    name: 'away',
    what: 'PostgreSQL cannot be reached for up to 2 s',
    inflict: async (stage) => {
      stage.database.proxy.setClosed(true);
      await stage.pause(200, 2_000);
      stage.database.proxy.setClosed(false);
    },
  },
  {
    name: 'cut-in-copy',
    what: 'a connection is cut in the middle of a message of rows',
    inflict: (stage) => cutAt(stage, 'copy-data'),
  },
  {
    name: 'cut-after-copy',
    what: 'PostgreSQL commits a COPY of new rows, and the connection is cut before it can say so',
    inflict: async (stage) => {
      // A bar that is stored already would send the write to the other lane, whose COPY commits nothing.
      for (const producer of stage.producers) producer.corrects = false;
      await cutAt(stage, 'copy-done').finally(() => {
        for (const producer of stage.producers) producer.corrects = true;
      });
    },
  },
  {
    name: 'cut-after-commit',
    what: 'PostgreSQL commits a merge, and the connection is cut before it can say so',
    inflict: (stage) => cutAt(stage, 'commit'),
  },
];

async function cutAt(stage: Stage, point: CutPoint): Promise<void> {
  // After a fault before this one it may take a time until there are writes again.
  await stage.database.ready();
  await stage.database.proxy.cutAt(point, COMES_WITHIN_MS);
}
