import { expect, it } from '@jest/globals';

import { Checkpoint } from '../../src/coordinator/spool/checkpoint.js';
import type { LedgerRecord } from '../../src/coordinator/spool/checkpoint.slot.js';
import { idle } from './spool.world.js';
import { SimulatedDisk } from './simulated.disk.js';

const DIRECTORY = 'spool';

const ledgerOf = (serial: number): LedgerRecord => ({
  ...{
    serial,
    next: serial,
    accepted: serial,
    committed: serial,
    deadLettered: 0,
    lost: 0,
    lossUnknown: false,
  },
  ...{ newestTime: 0, settledSegments: [], replayUntil: 0 },
});

// The newest checkpoint lies in the first slot after an odd number of writes, in the second after an even one.
it.each([1, 2, 3, 4])(
  'The first checkpoint after a start, cut short, leaves the newest of the %i before',
  async (writes) => {
    const disk = new SimulatedDisk();
    const files = disk.mount();
    await files.makeDirectory(DIRECTORY);
    const before = await Checkpoint.open(files, DIRECTORY);
    for (let serial = 1; serial <= writes; serial++) await before.write(serial, ledgerOf(serial));
    disk.endProcesses();

    const next = await Checkpoint.open(disk.mount(), DIRECTORY);
    disk.beforeEach = (operation) => operation === 'sync' && new Promise(() => undefined);
    void next.write(writes + 1, ledgerOf(writes + 1));
    await idle();
    disk.beforeEach = undefined;
    // In the middle of the checksum.
    disk.cutPower({ bytesOfLastWrite: 14 });

    const after = await Checkpoint.open(disk.mount(), DIRECTORY);
    expect([after.sequence, after.damagedSlots]).toEqual([writes, 1]);
  },
);
