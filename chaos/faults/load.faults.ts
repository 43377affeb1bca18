import type { Fault } from './fault.js';

/** What producers may do that is hard to take. */
export const LOAD_FAULTS: readonly Fault[] = [
  {
    name: 'large-body',
    what: 'a body of up to 64 MiB with new bars, or with corrections of those of an earlier one',
    takes: [],
    inflict: async ({ stage, replica, random }) => {
      await stage.load.largeProducer().send(replica, random);
    },
  },
];
