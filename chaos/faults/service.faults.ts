import { startSpoolCommand, requestReplay } from '../mds.command.js';
import type { Scene } from '../scene.js';
import { SideService } from '../side.service.js';
import type { Fault } from './fault.js';

const MOST_KILLS = 3;
/** A start takes about a second; one that is killed later is no start any more. */
const START_MS = 1_500;
const MIGRATION_MS = 300;
/** How far back a replay goes, seconds. */
const REPLAYED_S = 20;

/** What happens to the process of a service. */
export const SERVICE_FAULTS: readonly Fault[] = [
  {
    name: 'kill-service',
    what: 'kill -9 of a service, which is started again',
    takes: ['service'],
    inflict: ({ replica }) => replica.restart(),
  },
  {
    name: 'stop-service',
    what: 'SIGTERM to a service, which must end with 0 and is started again',
    takes: ['service'],
    inflict: async ({ replica }) => {
      const code = await replica.service.stop();
      await replica.start();
      if (code !== 0) throw new Error(`the service ended with ${code} after SIGTERM`);
    },
  },
  {
    name: 'hang-up',
    what: 'SIGHUP to a service, which goes on',
    takes: ['service'],
    inflict: async (scene) => {
      scene.service.signal('SIGHUP');
      await scene.pause(300, 500);
      if (!scene.service.isGone) return;
      await scene.replica.start();
      throw new Error('SIGHUP ended the service');
    },
  },
  {
    name: 'kill-in-start',
    what: 'kill -9 of a service, and again while it starts, up to three times',
    takes: ['service'],
    inflict: (scene) => killWhileStarting(scene, START_MS),
  },
  {
    name: 'kill-in-replay',
    what: 'kill -9 during `mds spool replay`, and of the service during what it had written again',
    takes: ['service'],
    inflict: async (scene) => {
      const { replica, random } = scene;
      replica.acceptedTwice = true;
      const since = Math.floor(Date.now() / 1_000) - REPLAYED_S;
      const command = startSpoolCommand(replica.dataDirectory, 'replay', '--since', String(since));
      const ended = new Promise((resolve) => command.once('close', resolve));
      await scene.pause(50, 400);
      command.kill('SIGKILL');
      await ended;
      if (random.next() < 0.7) await requestReplay(replica.dataDirectory, since);
      await killWhileStarting(scene, 2 * START_MS);
    },
  },
  {
    name: 'kill-in-migration',
    what: 'kill -9 of a service of its own while it migrates a new database, which works in the end',
    takes: ['database', 'way'],
    inflict: async (scene) => {
      const side = await SideService.create(scene.stage, scene.random.between(0, 2 ** 31));
      try {
        for (let kills = scene.random.between(1, MOST_KILLS); kills > 0; kills--)
          await side.killWhileMigrating(scene.random.between(0, MIGRATION_MS));
        await side.expectWorking();
      } finally {
        await side.remove();
      }
    },
  },
];

async function killWhileStarting({ replica, random }: Scene, withinMs: number): Promise<void> {
  await replica.service.kill();
  for (let kills = random.between(1, MOST_KILLS); kills > 0; kills--) {
    const starting = replica.launch();
    await new Promise((resolve) => setTimeout(resolve, random.between(0, withinMs)));
    await starting.kill();
  }
  await replica.start();
}
