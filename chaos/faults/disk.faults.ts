import { Scene } from '../scene.js';
import type { Fault } from './fault.js';

/** Disks without room. */
export const DISK_FAULTS: readonly Fault[] = [
  {
    name: 'spool-disk-full',
    what: 'the disk of the spool of the first service has no room: bars are refused until it has',
    takes: ['spool', 'service'],
    needs: ['small-disks'],
    inflict: async ({ stage, random }) => {
      const first = new Scene(stage, stage.replica, random);
      await stage.spoolDisk.fill();
      try {
        await first.untilRefused('spool-full');
        await first.pause(200, 1_500);
      } finally {
        await stage.spoolDisk.empty();
      }
      await first.untilTaken();
    },
  },
  {
    name: 'tables-disk-full',
    what: 'the disk of the tables has no room (53100)',
    takes: ['database'],
    needs: ['small-disks'],
    inflict: async (scene) => {
      const { tablesDisk } = scene.stage;
      const untilRefused = await scene.raises('53100');
      await tablesDisk.fill();
      try {
        await untilRefused();
        await scene.pause(200, 1_500);
      } finally {
        await tablesDisk.empty();
      }
    },
  },
];
