import { FRESH_BAR } from '../bar.model.js';
import type { Fault } from './fault.js';

const HEALED_WITHIN_MS = 10_000;

/** Disks without room. */
export const DISK_FAULTS: readonly Fault[] = [
  {
    name: 'spool-disk-full',
    what: 'the disk of the spool has no room: bars are refused until it has',
    smallDisks: true,
    inflict: async (stage) => {
      const { service, spoolDisk } = stage;
      const refused = service.says(/no bars are taken/);
      await spoolDisk.fill();
      try {
        await refused;
        await stage.pause(200, 1_500);
      } finally {
        await spoolDisk.empty();
      }
      await stage.until('bars are taken again', HEALED_WITHIN_MS, async () => {
        const answer = await service.post(FRESH_BAR).catch(() => undefined);
        return answer?.status === 202;
      });
    },
  },
  {
    name: 'tables-disk-full',
    what: 'the disk of the tables has no room (53100)',
    smallDisks: true,
    inflict: async (stage) => {
      const { service, tablesDisk } = stage;
      const refused = service.says(/No space left on device/);
      await tablesDisk.fill();
      try {
        await refused;
        await stage.pause(200, 1_500);
      } finally {
        await tablesDisk.empty();
      }
    },
  },
];
