import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Replica } from '../replica.js';
import type { Scene } from '../scene.js';
import type { Fault } from './fault.js';

const ALL_READS = 1_000;
/** Rows, fewer than any service of ours holds in memory. */
const IN_MEMORY = 5_000;

/** What happens to the files of a spool. */
export const SPOOL_FAULTS: readonly Fault[] = [
  {
    name: 'unreadable-spool',
    what: 'reads of the spool fail (EIO), all or some, for up to 8 s',
    takes: ['spool'],
    needs: ['preload'],
    inflict: async (scene) => {
      await whileReadsFail(scene, () => scene.pause(500, 8_000));
    },
  },
  {
    name: 'unreadable-start',
    what: 'kill -9 of a service with a backlog, and a start during which reads of the spool fail, for up to 12 s',
    takes: ['spool', 'service', 'way', 'database'],
    needs: ['preload'],
    inflict: async (scene) => {
      const { replica, database } = scene;
      database.proxy.setClosed(true);
      await scene.pause(500, 2_000);
      await replica.service.kill();
      database.proxy.setClosed(false);
      await whileReadsFail(scene, async (ofThousand) => {
        await replica.start();
        if (ofThousand === ALL_READS)
          await scene.until('the service says what it cannot read', () => isSaid(replica));
        await scene.pause(500, 12_000);
      });
    },
  },
  {
    name: 'moved-spool',
    what: 'the directory of the spool is moved away or replaced: bars are refused at once; then it comes back',
    takes: ['spool', 'service'],
    inflict: async (scene) => {
      const { replica, random } = scene;
      const away = `${replica.spool}.away`;
      // A directory that is a disk cannot be moved, the spool in it can.
      await rename(replica.spool, away);
      const isReplaced = random.next() < 0.5;
      if (isReplaced) await mkdir(replica.spool, { mode: 0o700 });
      try {
        await scene.untilRefused('spool-unavailable');
        await scene.pause(0, 2_000);
        if (random.next() < 0.3) await replica.service.kill();
      } finally {
        if (isReplaced) await takeEmpty(replica.spool);
        await rename(away, replica.spool);
      }
      if (replica.service.isGone) await replica.start();
      await scene.untilTaken();
    },
  },
  {
    name: 'removed-spool',
    what: 'the directory of the spool is removed while the service runs: bars are refused until it is started again',
    takes: ['spool', 'service', 'way', 'database', 'clock'],
    inflict: async (scene) => {
      const { replica } = scene;
      // What is in memory is written; what is on the disk only would be gone.
      await scene.until('all that waits is in memory', async () => {
        const { rows, isolation } = await replica.look();
        return rows.spooled < IN_MEMORY && isolation.rows === 0;
      });
      // The service may make files meanwhile.
      await rm(replica.spool, { recursive: true, force: true, maxRetries: 10 });
      let deadRows = 0;
      try {
        await scene.untilRefused('spool-unavailable');
        await scene.until('what was taken is written', async () => {
          const { rows } = await replica.look();
          deadRows = rows.dead_lettered;
          return rows.spooled === 0;
        });
      } finally {
        await replica.service.stop();
        replica.forgetCounts(deadRows);
        await replica.start();
      }
      await scene.untilTaken();
    },
  },
];

async function whileReadsFail(scene: Scene, work: (ofThousand: number) => Promise<void>): Promise<void> {
  const { replica, random } = scene;
  const ofThousand = random.pick([ALL_READS, ALL_READS, 300, 50]);
  replica.isUnreadable = true;
  replica.control.failReads(ofThousand);
  try {
    await work(ofThousand);
  } finally {
    replica.control.failReads(0);
    await untilBooksAreWhole(scene).finally(() => (replica.isUnreadable = false));
  }
}

async function untilBooksAreWhole(scene: Scene): Promise<void> {
  const { replica } = scene;
  await scene.until('what could not be read is in the books', async () => {
    const { acknowledged } = replica;
    // Another fault may have ended the service meanwhile.
    const state = await replica.look().catch(() => undefined);
    if (!state) return false;
    const { rows } = state;
    return rows.accepted >= acknowledged && rows.residual === 0 && (rows.unread ?? 0) === 0;
  });
}

/** Whether a service shows that rows wait which it cannot read. */
async function isSaid({ service }: Replica): Promise<boolean> {
  const { components } = await service.get<{ components: { name: string; state: string }[] }>('/healthz');
  return components.some(({ name, state }) => name === 'spool' && state !== 'healthy');
}

/** Removes what a service should not have written to. */
async function takeEmpty(directory: string): Promise<void> {
  const names = await readdir(directory);
  const segments = names.filter((name) => name.endsWith('.seg'));
  await rm(join(directory), { recursive: true });
  if (segments.length > 0) throw new Error(`the service wrote to another spool: ${segments.join(', ')}`);
}
