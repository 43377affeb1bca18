import type { Scene } from '../scene.js';
import type { Fault } from './fault.js';

const STEPS_MS = [30_000, -30_000, 2 * 86_400_000, -2 * 86_400_000];

/** What happens to the wall clocks of the services. */
export const CLOCK_FAULTS: readonly Fault[] = [
  {
    name: 'stepped-clock',
    what: 'the clock of a service steps by 30 s or two days, either way, and back after up to 4 s',
    takes: ['clock'],
    needs: ['preload'],
    inflict: (scene) => whileStepped(scene, () => scene.pause(300, 4_000)),
  },
  {
    name: 'stepped-clock-start',
    what: 'a service is started with its clock stepped, and again with the right one',
    takes: ['clock', 'service', 'database', 'way'],
    needs: ['preload'],
    inflict: async (scene) => {
      const { replica, database } = scene;
      // It asks PostgreSQL for the time.
      await database.ready();
      await replica.service.kill();
      await whileStepped(scene, async () => {
        await replica.start();
        await scene.pause(500, 3_000);
        await replica.service.kill();
      });
      await database.ready();
      await replica.start();
    },
  },
  {
    name: 'frozen-clocks',
    what: 'the clocks of all services stand still at the same microsecond for up to 3 s',
    takes: ['clock'],
    needs: ['preload'],
    inflict: async (scene) => {
      const now = BigInt(Date.now()) * 1_000n;
      const { replicas } = scene.stage;
      for (const { control } of replicas) control.freezeClock(now);
      await scene.pause(500, 3_000);
      for (const { control } of replicas) control.freezeClock(undefined);
    },
  },
];

async function whileStepped({ replica, random }: Scene, work: () => Promise<void>): Promise<void> {
  replica.control.stepClock(random.pick(STEPS_MS));
  try {
    await work();
  } finally {
    replica.control.stepClock(0);
  }
}
